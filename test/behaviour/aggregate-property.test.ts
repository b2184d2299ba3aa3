/** Whatever the parts of an aggregate do: its status, its marker and its body agree with the table of failures. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type GatewayCode, KINDS } from '../../src/kernel/errors.ts';
import { startTestGateway } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';
import { BEHAVIOURS, type Behaviour, sendJson } from '../kit/json-origin.ts';

const NAMES = ['a', 'b', 'c', 'd'] as const;

const CODES: Readonly<Partial<Record<Behaviour, GatewayCode>>> = {
  'not found': 'GW_PART_STATUS',
  'server error': 'GW_PART_STATUS',
  overloaded: 'GW_PART_UNAVAILABLE',
  empty: 'GW_PART_TYPE',
  'empty, said to be JSON': 'GW_PART_TYPE',
  html: 'GW_PART_TYPE',
  compressed: 'GW_PART_TYPE',
  broken: 'GW_PART_INVALID',
  'not UTF-8': 'GW_PART_INVALID',
  'too large': 'GW_PART_TOO_LARGE',
  'too large, unannounced': 'GW_PART_TOO_LARGE',
  cut: 'GW_UPSTREAM_CUT',
  silent: 'GW_UPSTREAM_TIMEOUT',
};

const failures = (Object.keys(CODES) as Behaviour[]).filter((name) => name !== 'silent');
const behaviour = fc.oneof(
  { weight: 20, arbitrary: fc.constant<Behaviour>('good') },
  { weight: 10, arbitrary: fc.constantFrom(...failures) },
  // Seldom, since its time has to pass.
  { weight: 1, arbitrary: fc.constant<Behaviour>('silent') },
);

/** A part that is asked for each of these, in their order; required or optional. */
const eachRoute = (optional: boolean) => `  - path: /each/${optional}
    aggregate:
      list: { upstream: list, path: "/?{query.list}" }
      all:
        upstream: origin
        each: { of: parts.list, concurrency: 2 }
        path: "/{each}"
        limit: 2KiB
        timeout: 2s${optional ? '\n        optional: true\n        default: { is: default }' : ''}`;

/** One route a choice of optional parts; `b` is made from `a`. */
const routeOf = (mask: number) => {
  const part = (name: string, at: number) => {
    const template = name === 'b' ? '/{query.b}?of={parts.a.is}' : `/{query.${name}}`;
    const optional = mask & (1 << at) ? ', optional: true, default: { is: default }' : '';
    return `      ${name}: { upstream: origin, path: "${template}", limit: 1KiB, timeout: 2s${optional} }`;
  };
  return `  - path: /${mask}\n    aggregate:\n${NAMES.map(part).join('\n')}`;
};

test('status, marker and body agree with what the parts did', async () => {
  const origin = await startOrigin((request, response) => {
    const name = decodeURIComponent(new URL(request.url!, 'http://x').pathname.slice(1)) as Behaviour;
    BEHAVIOURS[name](request, response);
  });
  const masks = Array.from({ length: 16 }, (_, mask) => mask);
  const { ask } = await startTestGateway(`
upstreams:
  origin: { targets: { ${origin.url}: 1 }, breaker: off, outlier: off, retry: { attempts: 1 } }
routes:
${masks.map((mask) => routeOf(mask)).join('\n')}
`);
  const anyMask = fc.constantFrom(...masks);
  const behaviours = fc.tuple(behaviour, behaviour, behaviour, behaviour);
  await fc.assert(
    fc.asyncProperty(anyMask, behaviours, async (mask, does) => {
      const query = NAMES.map((name, at) => `${name}=${encodeURIComponent(does[at]!)}`).join('&');
      const answer = await ask(`/${mask}?${query}`);
      const failing = NAMES.flatMap((name, at) => {
        const code = CODES[does[at]!];
        return code === undefined ? [] : [{ name, code, optional: (mask & (1 << at)) !== 0 }];
      });
      const fatal = failing.filter(({ optional }) => !optional);
      const body = JSON.parse(answer.body);
      expect(answer.whole).toBe(true);
      if (fatal.length > 0) {
        // Which of several comes first is chance; which one is told must be one of them, with its own code.
        const told = fatal.find(({ name }) => name === body.part);
        expect(told).toBeDefined();
        expect([answer.status, body.code]).toEqual([KINDS[told!.code].status, told!.code]);
        expect(answer.headers).not.toHaveProperty('snowgate-partial');
        return;
      }
      const marker = failing.map(({ name, code }) => `${name};code=${code}`).join(', ');
      expect(answer.status).toBe(200);
      expect(answer.headers['snowgate-partial'] ?? '').toBe(marker);
      const missing = new Set<string>(failing.map(({ name }) => name));
      for (const name of NAMES) expect(body[name].is).toBe(missing.has(name) ? 'default' : 'good');
    }),
    { numRuns: 60, endOnFailure: true },
  );
  // Nothing is left behind: what was silent has been let go.
  expect(origin.sockets.size).toBeLessThan(20);
}, 60_000);

test('of a part that is asked for each element, status, marker and each place agree with what its calls did', async () => {
  const origin = await startOrigin((request, response) => {
    BEHAVIOURS[decodeURIComponent(request.url!.slice(1)) as Behaviour](request, response);
  });
  const list = await startOrigin((request, response) =>
    sendJson(response, decodeURIComponent(request.url!.slice(2))),
  );
  const { ask } = await startTestGateway(`
upstreams:
  origin: { targets: { ${origin.url}: 1 }, breaker: off, outlier: off, retry: { attempts: 1 } }
  list: { targets: { ${list.url}: 1 }, retry: { attempts: 1 } }
routes:
${[true, false].map(eachRoute).join('\n')}
`);
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(behaviour, { maxLength: 8 }), async (optional, does) => {
      const before = origin.reached.length;
      const answer = await ask(`/each/${optional}?list=${encodeURIComponent(JSON.stringify(does))}`);
      const codes = does.map((one) => CODES[one]);
      const failing = codes.filter((code) => code !== undefined);
      const body = JSON.parse(answer.body);
      expect(answer.whole).toBe(true);
      if (failing.length > 0 && !optional) {
        expect([body.part, failing]).toEqual(['all', expect.arrayContaining([body.code])]);
        expect(answer.status).toBe(KINDS[body.code as GatewayCode].status);
        return;
      }
      expect(answer.status).toBe(200);
      const marker = failing.length === 0 ? '' : `all;code=${failing[0]};missing=${failing.length}`;
      expect(answer.headers['snowgate-partial'] ?? '').toBe(marker);
      expect(body.all.map(({ is }: { is: string }) => is)).toEqual(
        codes.map((code) => (code === undefined ? 'good' : 'default')),
      );
      expect(origin.reached.length - before).toBe(new Set(does).size);
    }),
    { numRuns: 40, endOnFailure: true },
  );
  expect(origin.sockets.size).toBeLessThan(20);
}, 60_000);
