/** What counts beside the balancer when an endpoint is chosen: how new it is, how many are left, who was there before. */
import type { z } from 'zod';
import { duration, durationOrOff, percentOrOff, Refusal, text } from './forms.ts';
import type { Report } from './report.ts';
import { section } from './shapes.ts';
import type { ConfigPath, Upstream } from './types.ts';

const sticky = section({
  cookie: text({
    form: 'the name of a cookie',
    max: 64,
    check: (value) =>
      /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(value)
        ? null
        : new Refusal('is no name of a cookie', 'Write letters, digits, `-` and `_`.'),
  }).describe('Name of the cookie.'),
  ttl: duration(1000).optional().describe('How long it lasts; default: until the browser is closed.'),
  secret: text({ form: 'text of at least 16 characters' })
    .optional()
    .describe(
      'What the cookie is signed with; the same in all gateways. Default: one of this process alone.',
    ),
});

/** Keys of an upstream. */
export const choosingShape = {
  slowStart: durationOrOff()
    .prefault('off')
    .describe('How long an endpoint that is new, or back, takes from a tenth of its share to all of it.'),
  panic: percentOrOff()
    .prefault('50%')
    .describe(
      'With less than this part of the endpoints available, failed checks and ejections are not believed; off: always.',
    ),
  sticky: sticky
    .optional()
    .describe('Keeps a client with the endpoint that served it first, by a signed cookie.'),
};

type Input = z.output<z.ZodObject<typeof choosingShape>>;

/** What the keys mean once every default is filled in. */
export function readChoosing({
  slowStart,
  panic,
  sticky,
}: Input): Pick<Upstream, 'slowStartMs' | 'panicBelow' | 'sticky'> {
  return {
    slowStartMs: slowStart ?? 0,
    panicBelow: panic ?? 0,
    sticky:
      sticky === undefined
        ? null
        : { cookie: sticky.cookie, ttlMs: sticky.ttl ?? null, secret: sticky.secret ?? null },
  };
}

/** Warns of what works on one machine only. */
export function checkChoosing(report: Report, { sticky }: Input, path: ConfigPath): void {
  if (sticky === undefined) return;
  if (sticky.secret === undefined)
    report.warn([...path, 'sticky'], {
      message: 'without `secret`, cookies are no good in other gateways and after a restart',
      remedy: 'Give all gateways the same one, by a variable of the environment.',
    });
  else if (sticky.secret.length < 16)
    report.on([...path, 'sticky', 'secret'], {
      message: 'the secret is shorter than 16 characters',
      remedy: 'Make one by `openssl rand -base64 24`.',
    });
}
