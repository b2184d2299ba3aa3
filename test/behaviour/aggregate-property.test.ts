/** Whatever the parts of an aggregate do: its status, its marker and its body agree with the table of failures. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type GatewayCode, KINDS } from '../../src/kernel/errors.ts';
import { startTestGateway } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';
import { BEHAVIOURS, type Behaviour } from '../kit/json-origin.ts';

const NAMES = ['a', 'b', 'c', 'd'] as const;

const CODES: Readonly<Partial<Record<Behaviour, GatewayCode>>> = {
  'not found': 'GW_PART_STATUS',
  'server error': 'GW_PART_STATUS',
  overloaded: 'GW_PART_UNAVAILABLE',
  empty: 'GW_PART_TYPE',
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
