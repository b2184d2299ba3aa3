/** A call for an upgrade: like any other until the tunnel is open, then its slot counts it until the tunnel ends. */
import type { Duplex } from 'node:stream';
import type { GatewayError } from '../kernel/errors.ts';
import type { Slot } from '../upstream/slot.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Body } from '../wire/body.ts';
import type { ResponseHead } from '../wire/heads.ts';
import type { Call, Flight } from '../wire/transport.ts';
import type { TunnelEnded, TunnelReceiver } from '../wire/tunnel.ts';
import { AttemptRun, type CallParts } from './attempt.ts';
import type { RetryPolicy } from './retry.ts';

export class TunnelRun extends AttemptRun implements TunnelReceiver {
  readonly #to: TunnelReceiver;

  constructor(
    to: TunnelReceiver,
    call: Call,
    options: { upstream: Upstream; parts: CallParts; policy: RetryPolicy },
  ) {
    super(options.upstream, call, options);
    this.#to = to;
  }

  open(head: ResponseHead, join: (client: Duplex, ended: TunnelEnded) => void): void {
    if (!this.opened(head)) return;
    this.#to.open(head, (client, ended) => {
      join(client, (error) => {
        this.closed();
        ended(error);
      });
    });
  }

  refuse(head: ResponseHead, body: Body): void {
    this.head(head, body);
  }

  inform(): void {
    // A tunnel's receiver has no use for interim answers.
  }

  protected override dispatch(slot: Slot, call: Call): Flight {
    return slot.transport.connect(call, this);
  }

  protected override pass(head: ResponseHead): void {
    this.#to.refuse(head, this);
  }

  protected override passFailure(error: GatewayError): void {
    this.#to.fail(error);
  }
}
