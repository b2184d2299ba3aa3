/** How an upstream shares its calls out: the forms of `balance`, short and long. */
import { z } from 'zod';
import { compileWord, WordError } from '../wire/words.ts';
import { duration, form, Refusal, text } from './forms.ts';
import type { Report } from './report.ts';
import { choice, section } from './shapes.ts';
import type { Balance, ConfigPath } from './types.ts';

const LOAD_HEADER = 'header.endpoint-load-metrics';

/** A dotted word; what it stands for is looked up in each request. */
export const word = () =>
  text({
    form: 'a word such as `header.x-tenant`',
    max: 256,
    check: (value) => {
      try {
        compileWord(value);
        return null;
      } catch (error) {
        if (!(error instanceof WordError)) throw error;
        return new Refusal(
          'cannot be looked up',
          `${error.message[0]!.toUpperCase()}${error.message.slice(1)}.`,
        );
      }
    },
  });

const maxLoad = form<number | null>({
  form: 'a percentage from 101% to 1000%, or off',
  json: { anyOf: [{ type: 'string', pattern: String.raw`^\d{3,4} ?%$` }, { enum: ['off', false] }] },
  takes: ['string', 'number', 'boolean'],
  remedy: 'Write a percentage such as 125%, or off.',
  read: (value) => {
    if (value === 'off' || value === false) return null;
    const match = typeof value === 'string' ? /^(\d{3,4}) ?%$/.exec(value) : null;
    const percent = match === null ? 0 : Number(match[1]);
    return percent > 100 && percent <= 1000 ? percent / 100 : new Refusal('is not from 101% to 1000%');
  },
});

const loadHeader = text({
  form: '`header.NAME`',
  max: 128,
  check: (value) =>
    /^header\.[\w!#$%&'*+^`|~-]+$/.test(value)
      ? null
      : new Refusal('is no header of a response', `Write header. and its name, as in ${LOAD_HEADER}.`),
});

const ewma = section({
  decay: duration(100).prefault('10s').describe('How long a slow answer is held against an endpoint.'),
}).describe('Least latency times requests in flight, of two drawn by weight.');

const hash = section({
  by: word().prefault('client.address').describe('What requests must share to go to the same endpoint.'),
  maxLoad: maxLoad
    .prefault('125%')
    .describe(
      'Most requests in flight at one endpoint, against the mean; above it keys move on. off: no bound.',
    ),
}).describe('Always the same endpoint for the same key (Maglev).');

const weighted = section({
  load: loadHeader
    .prefault(LOAD_HEADER)
    .describe('Header of the answers in which endpoints report their load; clients do not get it.'),
}).describe('Round-robin with weights that follow the load that the endpoints report (ORCA).');

/** The key `balance` of an upstream. */
export const balance = z
  .union([
    choice('round-robin', 'random', 'least-request', 'ewma', 'hash', 'weighted'),
    section({ ewma: ewma.optional(), hash: hash.optional(), weighted: weighted.optional() }),
  ])
  .prefault('round-robin')
  .describe(
    'How an endpoint is chosen; round-robin is smooth and weighted. A map gives one method its settings.',
  );

export type BalanceInput = z.output<typeof balance>;

const headerOf = (load: string) => load.slice('header.'.length).toLowerCase();

const long = (input: Exclude<BalanceInput, string>): Balance[] => [
  ...(input.ewma === undefined ? [] : [{ method: 'ewma', decayMs: input.ewma.decay } as const]),
  ...(input.hash === undefined ? [] : [{ method: 'hash', ...input.hash } as const]),
  ...(input.weighted === undefined
    ? []
    : [{ method: 'weighted', header: headerOf(input.weighted.load) } as const]),
];

const short = (method: Extract<BalanceInput, string>): Balance =>
  method === 'ewma' || method === 'hash' || method === 'weighted'
    ? long(balance.parse({ [method]: {} }) as Exclude<BalanceInput, string>)[0]!
    : { method };

/** Gives every method its settings; a map with none or several is reported. */
export function readBalance(report: Report, input: BalanceInput, path: ConfigPath): Balance {
  if (typeof input === 'string') return short(input);
  const [first, ...others] = long(input);
  if (first !== undefined && others.length === 0) return first;
  report.on(path, {
    message: first === undefined ? '`balance` names no method' : '`balance` names several methods',
    remedy: 'Write one, as in { hash: { by: client.address } }.',
  });
  return { method: 'round-robin' };
}
