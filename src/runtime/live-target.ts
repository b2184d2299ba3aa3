/** One way a route can go once its plugins have let a request through. */
import type { Chain } from '../pipeline/chain.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import { type ForwardOptions, forward } from '../proxy/forward.ts';
import type { RequestHeadOptions } from '../proxy/request-head.ts';

export interface LiveTarget {
  /** The hooks that see the request from here on. */
  readonly chain: Chain;
  /** Places in `x.slots` that its hooks need. */
  readonly slotCount: number;
  /** Of what the request is sent to; the same name after a reload is the same target. */
  readonly upstreamName: string;
  /** How the head is made that goes upstream. */
  readonly head: RequestHeadOptions;
  /** Sends what the `request` hooks left, and answers. Once per exchange. */
  send(x: LiveExchange): void;
}

/** Sends a request on as it is, and its answer back. */
export class ForwardTarget implements LiveTarget {
  readonly chain: Chain;
  readonly head: ForwardOptions;

  constructor(chain: Chain, options: ForwardOptions) {
    this.chain = chain;
    this.head = options;
  }

  get slotCount(): number {
    return this.chain.slotCount;
  }

  get upstreamName(): string {
    return this.head.upstreamName;
  }

  send(x: LiveExchange): void {
    forward(x, this.head);
  }
}
