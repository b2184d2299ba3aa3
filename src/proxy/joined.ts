/** An accepted upgrade: the client's connection joined to the upstream's until either ends or its time is over. */
import type { Duplex } from 'node:stream';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { Alarm } from '../kernel/wheel.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { Reply } from '../plugin.ts';
import type { Flight } from '../wire/transport.ts';
import type { TunnelEnded } from '../wire/tunnel.ts';
import type { AnswerOwner } from './answer.ts';
import { addAnswerFields } from './answer-fields.ts';
import type { ForwardOptions } from './forward-options.ts';

export type Join = (client: Duplex, ended: TunnelEnded) => void;

interface End {
  /** From now. */
  readonly afterMs: number;
  readonly code: 'GW_TIMEOUT' | 'GW_CREDENTIAL_ENDED';
  readonly detail: string;
}

/** When the connection ends at the latest, and why; null when nothing limits it. */
const endOf = (x: LiveExchange, { maxDurationMs, endWithToken }: ForwardOptions): End | null => {
  const limit: End | null =
    maxDurationMs === null
      ? null
      : {
          afterMs: x.startMs + maxDurationMs - x.clock.nowMs(),
          code: 'GW_TIMEOUT',
          detail: `longer than ${maxDurationMs} ms`,
        };
  const exp = endWithToken === true ? x.principal?.claims.exp : undefined;
  if (typeof exp !== 'number') return limit;
  const afterMs = exp * 1000 - x.clock.wallMs();
  if (limit !== null && limit.afterMs <= afterMs) return limit;
  return { afterMs, code: 'GW_CREDENTIAL_ENDED', detail: 'the token of the connection expired' };
};

export class Joined {
  readonly #x: LiveExchange;
  readonly #options: ForwardOptions;
  readonly #owner: AnswerOwner;
  #alarm: Alarm | null = null;
  #over = false;

  constructor(x: LiveExchange, options: ForwardOptions, owner: AnswerOwner) {
    this.#x = x;
    this.#options = options;
    this.#owner = owner;
  }

  /** Accepts the client's side with the 101 and lets the bytes flow. */
  start(reply: Reply, join: Join, flight: Flight | null): void {
    const x = this.#x;
    const { wheel, viaName } = this.#options;
    addAnswerFields(x, reply, viaName);
    x.status = 101;
    // From here on a client that closes ends the tunnel, as it may.
    x.down.left = null;
    const client = x.down.accept(reply);
    const end = endOf(x, this.#options);
    if (end !== null) {
      this.#alarm = new Alarm(() => {
        const error = gatewayError(end.code, end.detail);
        this.#ended(error);
        flight?.cancel(error);
        client.destroy();
      });
      wheel.arm(this.#alarm, Math.max(1, end.afterMs));
    }
    this.#options.tunnels?.tunnelOpened();
    join(client, (error) => this.#ended(error));
  }

  #ended(error: GatewayError | null): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#alarm !== null) this.#options.wheel.disarm(this.#alarm);
    if (error !== null) this.#x.fail(error);
    this.#options.tunnels?.tunnelClosed();
    this.#owner.answered();
  }
}
