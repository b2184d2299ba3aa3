/** Values in the requests of parts: each encoded for its place, so that none can mean more than a value. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PartAnswers } from '../../../src/aggregate/answers.ts';
import { compileBody, compileHeader, compileTarget } from '../../../src/aggregate/fill.ts';
import { GatewayError } from '../../../src/kernel/errors.ts';
import { createFields } from '../../../src/wire/fields.ts';
import { parseTemplate } from '../../../src/wire/template.ts';
import type { WordSource } from '../../../src/wire/words.ts';

const source = (claims: Readonly<Record<string, unknown>>): WordSource => ({
  client: { address: '192.0.2.1', scheme: 'http' },
  route: { name: 'home' },
  params: { id: '7' },
  received: {
    method: 'GET',
    scheme: 'http',
    authority: 'a.example',
    path: '/home/7',
    query: '?q=1',
    fields: createFields(),
  },
  principal: { id: 'ada', claims, scopes: [] },
});

const answersOf = (parts: ReadonlyMap<string, string>): PartAnswers => {
  const answers = new PartAnswers();
  for (const [name, json] of parts) answers.add(name, json);
  return answers;
};

const NONE = answersOf(new Map());

const target = (text: string, claims = {}, answers: ReadonlyMap<string, string> = new Map()) => {
  const { path, query } = compileTarget(parseTemplate(text))(source(claims), answersOf(answers));
  return path + query;
};

const codeOf = (run: () => unknown): string => {
  try {
    return `gave ${JSON.stringify(run())}`;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return error.code;
  }
};

describe('a path', () => {
  test('is filled by segment', () => {
    expect(target('/users/{claims.sub}/x', { sub: 'a b?c=d#e&f%' })).toBe(
      '/users/a%20b%3Fc%3Dd%23e%26f%25/x',
    );
    expect(target('/a-{claims.sub}.json', { sub: 'ü' })).toBe('/a-%C3%BC.json');
    expect(target('/{params.id}/{host}')).toBe('/7/a.example');
    expect(target('/plain/')).toBe('/plain/');
  });

  test.each(['', '.', '..', 'a/b', '../x', 'a\\b', '\0', 'a\nb', '..;x', '\ud800'])('takes no %j', (sub) =>
    expect(codeOf(() => target('/users/{claims.sub}', { sub }))).toBe('GW_PART_INPUT'),
  );

  test('dots are dots only where they are not the whole segment', () => {
    expect(target('/v{claims.sub}', { sub: '..' })).toBe('/v..');
    expect(codeOf(() => target('/.{claims.sub}', { sub: '.' }))).toBe('GW_PART_INPUT');
  });

  test('is left by no value whatever: one segment stays one segment', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (sub) => {
        const filled = codeOf(() => target('/users/{claims.sub}/orders', { sub }));
        if (filled === 'GW_PART_INPUT') return;
        const url = new URL(`http://x${JSON.parse(filled.slice(5))}`);
        expect(url.search + url.hash).toBe('');
        const segments = url.pathname.split('/');
        expect(segments).toHaveLength(4);
        expect([segments[1], decodeURIComponent(segments[2]!), segments[3]]).toEqual([
          'users',
          sub,
          'orders',
        ]);
      }),
    );
  });
});

describe('a query', () => {
  test('a value stays one value, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (sub) => {
        const filled = codeOf(() => target('/a?x={claims.sub}&y=1', { sub }));
        if (!sub.isWellFormed() || encodeURIComponent(sub).length > 8000) return;
        const { searchParams, hash } = new URL(`http://x${JSON.parse(filled.slice(5))}`);
        expect([...searchParams]).toEqual([
          ['x', sub],
          ['y', '1'],
        ]);
        expect(hash).toBe('');
      }),
    );
  });

  test('an empty value is a value, and a second question mark is text', () => {
    expect(target('/a?x={claims.sub}', { sub: '' })).toBe('/a?x=');
    expect(target('/a?x=1?{claims.sub}', { sub: 'b' })).toBe('/a?x=1?b');
  });
});

describe('a header', () => {
  const header = (sub: string) => compileHeader(parseTemplate('for {claims.sub}'))(source({ sub }), NONE);

  test('takes no line end and nothing beyond Latin-1', () => {
    expect(header('ada')).toBe('for ada');
    expect(header('é\t')).toBe('for é\t');
    for (const bad of ['a\r\nx-admin: 1', 'a\nb', '\0', '雪', '\u0085'])
      expect(
        codeOf(() => header(bad)),
        bad,
      ).toBe('GW_PART_INPUT');
  });
});

describe('a body', () => {
  test('keeps types and digits, and texts stay texts', () => {
    const body = compileBody([
      '{"a":',
      { value: 'claims.list' },
      ',"b":',
      { value: 'parts.user.big' },
      ',"c":',
      { text: parseTemplate('is {claims.name}') },
      '}',
    ]);
    const answers = answersOf(new Map([['user', '{"big":12345678901234567890}']]));
    expect(body(source({ list: [1, 'x'], name: '"quoted"' }), answers)).toBe(
      '{"a":[1,"x"],"b":12345678901234567890,"c":"is \\"quoted\\""}',
    );
  });

  test('is well-formed with any claim', () => {
    const body = compileBody([
      '{"a":',
      { value: 'claims.v' },
      ',"b":',
      { text: parseTemplate('x{claims.t}') },
      '}',
    ]);
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (v, t) => {
        const parsed = JSON.parse(body(source({ v, t }), NONE));
        expect(parsed).toEqual({ a: JSON.parse(JSON.stringify(v)), b: `x${t}` });
      }),
    );
  });
});

describe('what is missing', () => {
  test('of the request is the request’s fault, of another part that part’s', () => {
    expect(codeOf(() => target('/{claims.sub}'))).toBe('GW_PART_INPUT');
    expect(codeOf(() => target('/{claims.sub}', { sub: null }))).toBe('GW_PART_INPUT');
    expect(codeOf(() => target('/{claims.sub}', { sub: {} }))).toBe('GW_PART_INPUT');
    expect(codeOf(() => target('/{claims.constructor}'))).toBe('GW_PART_INPUT');
    expect(codeOf(() => target('/{parts.user.id}'))).toBe('GW_PART_VALUE');
    expect(codeOf(() => target('/{parts.user.id}', {}, new Map([['user', '{"id":null}']])))).toBe(
      'GW_PART_VALUE',
    );
    expect(codeOf(() => compileBody([{ value: 'claims.sub' }])(source({}), NONE))).toBe('GW_PART_INPUT');
  });

  test('too long is told too, before anything is sent', () => {
    expect(codeOf(() => target('/a?x={claims.sub}', { sub: 'x'.repeat(9000) }))).toBe('GW_PART_INPUT');
  });

  test('undefined and null never travel as words', () => {
    fc.assert(
      fc.property(fc.constantFrom(undefined, null, [], {}, [null], [undefined]), (sub) => {
        expect(codeOf(() => target('/a?x={claims.sub}', { sub }))).toBe('GW_PART_INPUT');
      }),
    );
  });
});
