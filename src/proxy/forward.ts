/** Forwards an exchange to an upstream and its answer to the client, streamed both ways. */
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { ForwardOptions } from './forward-options.ts';
import { Forwarding } from './forwarding.ts';

export type { ForwardOptions };

/**
 * Sends `x.request`, as `prepareRequest` and the `request` hooks left it, and answers `x.down`. It takes over
 * `down.left`; everything that ends badly is answered, and kept in `x.error`. Once per exchange.
 */
export function forward(x: LiveExchange, options: ForwardOptions): void {
  new Forwarding(x, options).start();
}
