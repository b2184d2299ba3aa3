/** The head of a part's request: what every upstream is told of the client, and nothing of the client's own request. */
import type { LiveExchange } from '../pipeline/exchange.ts';
import { createFields, type Fields } from '../wire/fields.ts';
import type { RequestHead } from '../wire/heads.ts';
import type { Answers } from './answers.ts';
import type { Target } from './fill.ts';
import type { PartOptions } from './options.ts';

/** The client's body, and what it said of the one answer that it wants: ranges, conditions, forms, an upgrade. */
const OF_THE_CLIENT =
  /^(?:content-.*|if-.*|range|accept|accept-encoding|accept-ranges|expect|te|trailer|digest|want-.*|prefer|upgrade.*|sec-websocket-.*)$/;

/** By name, since the same ones come again and again. */
const known = new Map<string, boolean>();
/** Clients choose names, and the map must not grow with them. */
const MOST_KNOWN = 1000;

const isOfTheClient = (name: string): boolean => {
  let is = known.get(name);
  if (is === undefined) {
    is = OF_THE_CLIENT.test(name);
    if (known.size < MOST_KNOWN) known.set(name, is);
  }
  return is;
};

const copyFields = (from: Fields): Fields => {
  const fields = createFields();
  for (const name in from) {
    if (isOfTheClient(name)) continue;
    const value = from[name]!;
    fields[name] = typeof value === 'string' ? value : value.slice();
  }
  return fields;
};

/** The templates of a part, filled for one call. */
export interface Filled extends Target {
  /** In the order of `options.headers`. */
  readonly headers: readonly string[];
  readonly body: string | null;
}

/**
 * Fills the templates of a part.
 * @throws GatewayError where a value is missing or unfit
 */
export function fillPart(x: LiveExchange, options: PartOptions, answers: Answers): Filled {
  return {
    ...options.target(x, answers),
    headers: options.headers.map(([, fill]) => fill(x, answers)),
    body: options.body === null ? null : options.body(x, answers),
  };
}

/** Characters of all that was filled. */
export function filledLength({ path, query, headers, body }: Filled): number {
  const length = path.length + query.length + (body ?? '').length;
  return headers.reduce((sum, header) => sum + header.length, length);
}

/** The same text for the same call of a part; no line end can stand in a path or a header. */
export function callKey({ path, query, headers, body }: Filled): string {
  return [path + query, ...headers, body].join('\n');
}

/** Makes the head from `x.request` as `prepareRequest` and the `request` hooks left it, and the filled templates. */
export function partHead(x: LiveExchange, options: PartOptions, filled: Filled): RequestHead {
  const { part, hostHeader } = options;
  const { path, query } = filled;
  const fields = copyFields(x.request.fields);
  fields.accept = 'application/json';
  // Without the field any coding would be allowed (RFC 9110 section 12.5.3), and none can be read here.
  fields['accept-encoding'] = 'identity';
  if (filled.body !== null) fields['content-type'] = 'application/json';
  for (const [at, [name]] of options.headers.entries()) fields[name] = filled.headers[at]!;
  return {
    method: part.method,
    scheme: x.request.scheme,
    authority: hostHeader === 'keep' || hostHeader === 'upstream' ? x.request.authority : hostHeader,
    path,
    query,
    fields,
  };
}
