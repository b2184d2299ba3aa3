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
    const { maxDurationMs, wheel, viaName } = this.#options;
    addAnswerFields(x, reply, viaName);
    x.status = 101;
    // From here on a client that closes ends the tunnel, as it may.
    x.down.left = null;
    const client = x.down.accept(reply);
    if (maxDurationMs !== null) {
      this.#alarm = new Alarm(() => {
        const error = gatewayError('GW_TIMEOUT', `longer than ${maxDurationMs} ms`);
        this.#ended(error);
        flight?.cancel(error);
        client.destroy();
      });
      wheel.arm(this.#alarm, Math.max(1, x.startMs + maxDurationMs - x.clock.nowMs()));
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
