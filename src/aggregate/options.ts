/** What an aggregate needs to know of its route and of each part; made once per route. */
import type { AggregatePart } from '../config/aggregate-types.ts';
import type { GatewayCode } from '../kernel/errors.ts';
import type { Chain } from '../pipeline/chain.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { PartExchange } from '../pipeline/part-exchange.ts';
import type { EndpointInfo, Reply } from '../plugin.ts';
import type { AnswerOptions } from '../proxy/answer.ts';
import type { RequestHead } from '../wire/heads.ts';
import { type Template, wordsOf } from '../wire/template.ts';
import type { Timeouts, Transport } from '../wire/transport.ts';
import type { WordSource } from '../wire/words.ts';
import type { Answers } from './answers.ts';
import { compileBody, compileHeader, compileTarget, type Fill, type Target } from './fill.ts';
import { compileShape, type Shape } from './shape.ts';

/** @param own what plugins of the upstream see; null where it has none */
type Attempt = (
  x: LiveExchange,
  own: PartExchange | null,
  one: { readonly head: RequestHead; readonly to: EndpointInfo },
) => void;

/** The plugins of a part's upstream, beside those of the route, which see the whole. */
export interface UpstreamHooks {
  readonly upstreamName: string;
  readonly chain: Chain;
}

/** Where a part is sent. */
export interface PartUpstream {
  /** The whole upstream: breaker, slots, attempts, retries. */
  readonly call: Transport;
  readonly timeouts: Timeouts;
  /** `keep`, `upstream` or a name, as in `prepareRequest`. */
  readonly hostHeader: string;
  /** For balancers that hash; null gives 0. */
  readonly hash: ((x: LiveExchange) => number) | null;
  /** The attempt hooks of all scopes, before each try; null where there are none. */
  readonly attempt: Attempt | null;
  /** Null where the upstream has no plugins. */
  readonly hooks: UpstreamHooks | null;
}

export interface PartOptions extends PartUpstream {
  readonly part: AggregatePart;
  readonly target: (x: WordSource, answers: Answers) => Target;
  readonly headers: readonly (readonly [name: string, fill: Fill])[];
  readonly body: Fill | null;
  readonly shape: Shape | null;
}

export interface AggregateOptions extends AnswerOptions {
  /** In the order of the answer. */
  readonly parts: readonly PartOptions[];
  /** From the start of the request to the last byte of the last part; 0 for no limit. */
  readonly timeoutMs: number;
  readonly partialStatus: number;
  /** True where a value of the client or its credential goes into a part: no shared cache may keep the answer. */
  readonly personal: boolean;
  /** Headers whose values go into a part. */
  readonly vary: readonly string[];
  /** The response hooks, as in `ForwardOptions`. */
  readonly respond: ((x: LiveExchange, reply: Reply) => Reply | Promise<Reply>) | null;
  /** Counts how parts end. */
  readonly meter: {
    partEnded(part: string, code: GatewayCode | '-'): void;
    /** Members that two parts gave. */
    memberConflicts: number;
  };
}

/** Makes what one part needs, its templates ready to be filled. */
export function createPartOptions(part: AggregatePart, upstream: PartUpstream): PartOptions {
  return {
    ...upstream,
    part,
    target: compileTarget(part.target),
    headers: Object.entries(part.headers).map(([name, template]) => [name, compileHeader(template)] as const),
    body: part.body === null ? null : compileBody(part.body),
    shape: compileShape(part),
  };
}

const templatesOf = ({ target, headers, body }: AggregatePart): Template[] => [
  target,
  ...Object.values(headers),
  ...(body ?? []).map((piece) =>
    typeof piece === 'string' ? [] : 'value' in piece ? ['', piece.value, ''] : piece.text,
  ),
];

/** Whose hand is in the requests of the parts, beside the URL: what caches must know of the answer. */
export function variesBy(parts: readonly AggregatePart[]): Pick<AggregateOptions, 'personal' | 'vary'> {
  const words = parts.flatMap(templatesOf).flatMap(wordsOf);
  const headers = words.flatMap((word) => /^header[.[]['"]?([^'"\]]+)/.exec(word)?.[1] ?? []);
  return {
    personal: words.some((word) => /^(?:claims|principal|client|cookie)\b/.test(word)),
    vary: [...new Set(headers.map((name) => name.toLowerCase()))],
  };
}
