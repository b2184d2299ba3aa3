/** What forwarding needs to know of a route and its target. */
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { EndpointInfo, Reply } from '../plugin.ts';
import type { RequestHead } from '../wire/heads.ts';
import type { Timeouts, Transport } from '../wire/transport.ts';
import type { Tunnel } from '../wire/tunnel.ts';
import type { AnswerOptions } from './answer.ts';
import type { Mirror } from './mirror.ts';
import type { StickyCookie } from './sticky-cookie.ts';

/** Made once per route and target; nothing in it belongs to one request. */
export interface ForwardOptions extends AnswerOptions {
  /** The whole upstream: breaker, slots, attempts, retries. */
  readonly call: Transport & Tunnel;
  /** `x.upstream` until the first attempt says better. */
  readonly upstreamName: string;
  readonly timeouts: Timeouts;
  /** The same for upgrades; absent: no others. */
  readonly tunnelTimeouts?: Timeouts;
  /** Whether an upgraded connection ends when the claim `exp` of its principal says so. */
  readonly endWithToken?: boolean;
  /** From the start of the request to the response head, retries included; 0 for no limit. */
  readonly timeoutMs: number;
  /** For balancers that hash; null gives 0. */
  readonly hash: ((x: LiveExchange) => number) | null;
  /** Where clients stay with an endpoint; null or absent: they don't. */
  readonly sticky?: StickyCookie | null;
  /** `keep`, `upstream` or a name, as in `prepareRequest`; only `upstream` is acted on here, at each attempt. */
  readonly hostHeader: string;
  readonly bodyLimitBytes: number;
  /** Where some requests are copied to; null or absent: nowhere. */
  readonly mirror?: Mirror | null;
  /**
   * The response hooks, on the head of whatever will be answered: the upstream's, a refusal of the gateway's, or
   * the 101 of an upgrade (which goes on only as long as the reply is that same 101). Gives nothing to keep the
   * reply, another reply to answer instead (the upstream's body is then cancelled), or a promise of either: the
   * body waits unread meanwhile. A throw or rejection is answered by 500 GW_PLUGIN (a GatewayError by its own code),
   * past the hooks.
   */
  readonly respond:
    | ((x: LiveExchange, reply: Reply) => Reply | undefined | void | Promise<Reply | undefined | void>)
    | null;
  /** The attempt hooks, before each try; may change the head of this try. A throw is answered as in `respond`. */
  readonly attempt: ((x: LiveExchange, head: RequestHead, to: EndpointInfo) => void) | null;
  /**
   * Called once when nothing more will pass between the client and the upstream: the answer's end or cut, the
   * end of a tunnel, the client leaving. `down.closed` follows when the client's side is through with its bytes.
   */
  readonly done: ((x: LiveExchange) => void) | null;
  /** Counts the upgraded connections, from the 101 to the end of their bytes. */
  readonly tunnels?: { tunnelOpened(): void; tunnelClosed(): void };
}
