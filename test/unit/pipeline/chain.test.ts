/** Chains: order, early answers, promises, failures, and the authenticators' rule. */
import { expect, test } from 'vitest';
import { gatewayError } from '../../../src/kernel/errors.ts';
import { compileChain } from '../../../src/pipeline/chain.ts';
import {
  LEFT,
  type RunningExchange,
  runAttempt,
  runBefore,
  runLog,
  runRequest,
  runResponse,
} from '../../../src/pipeline/run.ts';
import { type Exchange, type Hooks, type Principal, type Reply, refuse, reply } from '../../../src/plugin.ts';
import type { Body } from '../../../src/wire/body.ts';
import { chainOf, exchangeOf, instancesOf, linesOf } from '../../kit/plugin.ts';

const noting = (name: string, notes: string[]): Hooks => {
  const note = (phase: string) => () => void notes.push(`${phase}:${name}`);
  return {
    log: note('log'),
    response: note('response'),
    attempt: note('attempt'),
    request: note('request'),
    admit: note('admit'),
    authorize: note('authorize'),
    accept: note('accept'),
  };
};

const head = () => exchangeOf().request;
const to = { upstream: 'u', endpoint: '127.0.0.1:1' };

test('phases run in their order, and in each the instances in theirs; responses in reverse', async () => {
  const notes: string[] = [];
  const chain = await chainOf(noting('a', notes), noting('b', notes));
  const x = exchangeOf();
  runBefore(chain, x);
  runRequest(chain, x);
  runAttempt(chain, x, { head: head(), to });
  runResponse(chain, x, reply(200));
  runLog(chain, x);
  expect(notes).toEqual([
    ...['accept:a', 'accept:b', 'authorize:a', 'authorize:b', 'admit:a', 'admit:b', 'request:a', 'request:b'],
    ...['attempt:a', 'attempt:b', 'response:b', 'response:a', 'log:a', 'log:b'],
  ]);
});

test('a phase without hooks is null, and an empty chain does nothing', async () => {
  const chain = compileChain([]);
  expect(chain).toEqual({
    before: null,
    request: null,
    attempt: null,
    response: null,
    log: null,
    slotCount: 0,
    instances: [],
  });
  const x = exchangeOf();
  const answer = reply(200);
  expect([runBefore(chain, x), runRequest(chain, x), runResponse(chain, x, answer)]).toEqual([
    undefined,
    undefined,
    answer,
  ]);
  runAttempt(chain, x, { head: head(), to });
  runLog(chain, x);
});

test('while no hook returns a promise, none is made', async () => {
  const notes: string[] = [];
  const chain = await chainOf(
    noting('a', notes),
    {
      authenticate: (x) => {
        x.principal = { id: 'p', claims: {}, scopes: [], by: 'p1' };
      },
    },
    noting('c', notes),
  );
  const x = exchangeOf();
  expect(runBefore(chain, x)).toBeUndefined();
  expect(runRequest(chain, x)).toBeUndefined();
  const answer = reply(204);
  expect(runResponse(chain, x, answer)).toBe(answer);
});

test('an answer ends the chain', async () => {
  const notes: string[] = [];
  const chain = await chainOf({ accept: () => reply(418) }, noting('b', notes));
  expect(runBefore(chain, exchangeOf())).toMatchObject({ status: 418, by: 'plugin' });
  expect(notes).toEqual([]);
});

test('after a promise the chain goes on in order, and later answers end it', async () => {
  const notes: string[] = [];
  const chain = await chainOf(
    noting('a', notes),
    {
      accept: async () => void notes.push('accept:async'),
      admit: () => Promise.resolve(reply(429)),
    },
    noting('c', notes),
  );
  const outcome = runBefore(chain, exchangeOf());
  expect(outcome).toBeInstanceOf(Promise);
  expect(await outcome).toMatchObject({ status: 429 });
  expect(notes).toEqual(['accept:a', 'accept:async', 'accept:c', 'authorize:a', 'authorize:c', 'admit:a']);
});

test('hooks of an object with its own state keep their `this`', async () => {
  class Counting {
    count = 0;
    accept(): undefined {
      this.count++;
    }
  }
  const hooks = new Counting();
  runBefore(await chainOf(hooks), exchangeOf());
  expect(hooks.count).toBe(1);
});

const asLeft = (x: Exchange): RunningExchange => Object.assign(x, { left: true }) as RunningExchange;

test('after an awaited hook a client that has left ends the chain, even if the hook failed', async () => {
  const notes: string[] = [];
  const waiting = Promise.withResolvers<void>();
  const chain = await chainOf({ accept: () => waiting.promise }, noting('b', notes));
  const [one, two] = [exchangeOf(), exchangeOf()];
  const outcomes = [runBefore(chain, one), runBefore(chain, two)];
  asLeft(one);
  waiting.resolve();
  expect(await outcomes[0]).toBe(LEFT);
  expect(await outcomes[1]).toBeUndefined();
  expect(notes).toEqual(['accept:b', 'authorize:b', 'admit:b']);

  const failing = await chainOf({ request: () => Promise.reject(new Error('aborted')) });
  const three = exchangeOf();
  const outcome = runRequest(failing, three);
  asLeft(three);
  expect(await outcome).toBe(LEFT);
});

const FAILURES: [what: string, hook: () => unknown][] = [
  [
    'throws',
    () => {
      throw new Error('oops');
    },
  ],
  ['rejects', () => Promise.reject(new Error('oops'))],
  [
    'throws no error',
    () => {
      throw 'oops';
    },
  ],
  ['returns true', () => true],
  ['returns false', () => false],
  ['returns a number', () => 200],
  ['returns an empty object', () => ({})],
  ['returns a status that is none', () => ({ status: 99, fields: {} })],
  ['returns an answer without fields', () => ({ status: 200 })],
  ['promises true', () => Promise.resolve(true)],
];

for (const [what, hook] of FAILURES) {
  test(`a hook that ${what} refuses with 500 GW_PLUGIN naming it, and nothing after it runs`, async () => {
    const notes: string[] = [];
    const instances = await instancesOf({ authorize: hook as never }, noting('b', notes));
    const outcome = await runBefore(compileChain(instances), exchangeOf());
    expect(outcome).toMatchObject({ status: 500, by: 'gateway', body: null, error: { code: 'GW_PLUGIN' } });
    expect(outcome?.error?.detail).toMatch(/^p0 \(authorize\): /);
    expect(notes).toEqual(['accept:b']);
    expect(linesOf(instances[0])).toEqual([
      expect.objectContaining({ level: 'error', fields: expect.objectContaining({ phase: 'authorize' }) }),
    ]);
  });
}

test('a GatewayError keeps its own code', async () => {
  const chain = await chainOf({ request: () => Promise.reject(gatewayError('GW_BODY_TOO_LARGE', 'big')) });
  expect(await runRequest(chain, exchangeOf())).toMatchObject({
    status: 413,
    by: 'plugin',
    error: { code: 'GW_BODY_TOO_LARGE', detail: 'big' },
  });
});

test('an answer written without types gets what it lacks', async () => {
  const chain = await chainOf({ accept: () => ({ status: 200, fields: {} }) as Reply });
  expect(runBefore(chain, exchangeOf())).toEqual({
    status: 200,
    fields: {},
    body: null,
    by: 'plugin',
    error: null,
  });
});

test('a response hook may change the answer or give another, also by a promise', async () => {
  const chain = await chainOf(
    {
      response: (_, answer) => {
        answer.fields['x-last'] = String(answer.status);
      },
    },
    { response: async () => reply(503) },
    { response: (_, answer) => ({ ...answer, status: 202 }) },
  );
  const outcome = runResponse(chain, exchangeOf(), reply(200));
  expect(outcome).toBeInstanceOf(Promise);
  expect(await outcome).toMatchObject({ status: 503, fields: { 'x-last': '503' } });
});

const bodyOf = () => {
  const cancelled: string[] = [];
  const body: Body = { length: null, read: () => undefined, cancel: (why) => void cancelled.push(why.code) };
  return { body, cancelled };
};

test('a response hook that fails gives a 500 that the others still see, and lets go of the body', async () => {
  const { body, cancelled } = bodyOf();
  const seen: number[] = [];
  for (const fail of [
    () => {
      throw new Error('oops');
    },
    () => Promise.reject(new Error('oops')),
  ]) {
    const chain = await chainOf(
      { response: (_, answer) => void seen.push(answer.status) },
      { response: fail },
    );
    const outcome = await runResponse(chain, exchangeOf(), { ...reply(200), body, by: 'upstream' });
    expect(outcome).toMatchObject({ status: 500, body: null, error: { code: 'GW_PLUGIN' } });
  }
  expect(seen).toEqual([500, 500]);
  expect(cancelled).toEqual(['GW_PLUGIN', 'GW_PLUGIN']);
});

test('a body that a response hook replaces is let go, and one that it keeps is not', async () => {
  const { body, cancelled } = bodyOf();
  const kept = await chainOf({ response: (_, answer) => ({ ...answer, status: 201 }) });
  await runResponse(kept, exchangeOf(), { ...reply(200), body });
  expect(cancelled).toEqual([]);
  const replaced = await chainOf({ response: () => reply(200, {}, 'other') });
  await runResponse(replaced, exchangeOf(), { ...reply(200), body });
  expect(cancelled).toHaveLength(1);
});

test('a client that leaves while a response hook is awaited ends the chain', async () => {
  const { body, cancelled } = bodyOf();
  const chain = await chainOf({ response: async () => undefined });
  const x = exchangeOf();
  const outcome = runResponse(chain, x, { ...reply(200), body });
  asLeft(x);
  expect(await outcome).toBe(LEFT);
  expect(cancelled).toEqual(['GW_CLIENT_LEFT']);
});

test('an attempt hook that fails or returns a promise stops the try', async () => {
  for (const attempt of [
    () => {
      throw new Error('oops');
    },
    () => Promise.reject(new Error('oops')),
  ]) {
    const chain = await chainOf({ attempt: attempt as () => void });
    expect(() => runAttempt(chain, exchangeOf(), { head: head(), to })).toThrow(
      expect.objectContaining({ code: 'GW_PLUGIN' }),
    );
  }
});

test('a log hook that fails hurts nobody', async () => {
  const notes: string[] = [];
  const instances = await instancesOf(
    {
      log: () => {
        throw new Error('oops');
      },
    },
    { log: (() => Promise.reject(new Error('late'))) as () => void },
    { log: () => void notes.push('ran') },
  );
  runLog(compileChain(instances), exchangeOf());
  expect(notes).toEqual(['ran']);
  await Promise.resolve();
  for (const at of [0, 1]) {
    expect(linesOf(instances[at])).toHaveLength(1);
  }
});

const principal = (id: string): Principal => ({ id, claims: {}, scopes: [], by: id });

/** An authenticator that reads one header: `good` is right, anything else is wrong. */
const authenticator = (header: string, more: Partial<Hooks> = {}): Hooks => ({
  authenticate: (x) => {
    const given = x.received.fields[header];
    if (given === undefined) return undefined;
    if (given !== 'good') return refuse('GW_UNAUTHENTICATED', `wrong ${header}`);
    x.principal = principal(header);
    return undefined;
  },
  ...more,
});
const later = (hooks: Hooks): Hooks => ({
  ...hooks,
  authenticate: async (x) => {
    await Promise.resolve();
    return hooks.authenticate!(x);
  },
});

type Expected = string | null | 401;
const RULE: [given: Record<string, string>, optional: [boolean, boolean], outcome: Expected][] = [
  [{}, [false, false], 401],
  [{}, [true, false], 401],
  [{}, [false, true], 401],
  [{}, [true, true], null],
  [{ a: 'good' }, [false, false], 'a'],
  [{ b: 'good' }, [false, false], 'b'],
  [{ b: 'good' }, [true, true], 'b'],
  [{ a: 'good', b: 'good' }, [false, false], 'a'],
  [{ a: 'good', b: 'wrong' }, [false, false], 401],
  [{ a: 'wrong', b: 'good' }, [false, false], 401],
  [{ a: 'wrong' }, [true, true], 401],
  [{ b: 'wrong' }, [true, true], 401],
];

for (const [given, optional, expected] of RULE) {
  const shown = `${JSON.stringify(given)}, optional ${optional.join(' and ')}`;
  test(`two authenticators: ${shown} gives ${expected ?? 'the anonymous'}`, async () => {
    const [a, b] = [
      authenticator('a', { optional: optional[0] }),
      authenticator('b', { optional: optional[1] }),
    ];
    for (const chain of [
      await chainOf(a, b),
      await chainOf(later(a), later(b)),
      await chainOf(a, later(b)),
    ]) {
      const x = exchangeOf({ fields: given });
      const outcome = await runBefore(chain, x);
      if (expected === 401)
        expect(outcome).toMatchObject({ status: 401, error: { code: 'GW_UNAUTHENTICATED' } });
      else expect([outcome, x.principal?.id ?? null]).toEqual([undefined, expected]);
    }
  });
}

test('the 401 carries the challenges of the route’s authenticators, and later phases do not run', async () => {
  const notes: string[] = [];
  const chain = await chainOf(
    authenticator('a', { challenge: 'Bearer realm="x"' }),
    authenticator('b', { challenge: 'Basic realm="x"' }),
    noting('c', notes),
  );
  expect(runBefore(chain, exchangeOf())).toMatchObject({
    fields: { 'www-authenticate': ['Bearer realm="x"', 'Basic realm="x"'] },
  });
  expect(notes).toEqual(['accept:c']);
});

test('a route without authenticators admits everybody', async () => {
  expect(runBefore(await chainOf({ accept: () => undefined }), exchangeOf())).toBeUndefined();
});

const forbids: Hooks = { authorize: () => refuse('GW_FORBIDDEN', 'a rule') };

test('a rule that keeps the anonymous out asks for a credential, where one would be taken', async () => {
  const login = authenticator('a', { optional: true, challenge: 'Bearer realm="x"' });
  for (const rule of [forbids, { authorize: async () => refuse('GW_FORBIDDEN', 'a rule') }]) {
    const chain = await chainOf(login, rule);
    expect(await runBefore(chain, exchangeOf())).toMatchObject({
      status: 401,
      fields: { 'www-authenticate': ['Bearer realm="x"'] },
      error: { code: 'GW_UNAUTHENTICATED' },
    });
    const known = exchangeOf({ fields: { a: 'good' } });
    expect(await runBefore(chain, known)).toMatchObject({ status: 403, error: { code: 'GW_FORBIDDEN' } });
  }
  expect(runBefore(await chainOf(forbids), exchangeOf())).toMatchObject({ status: 403 });
  expect(runBefore(await chainOf(login, { authorize: () => reply(418) }), exchangeOf())).toMatchObject({
    status: 418,
  });
});
