/** Faults made on purpose: which requests are hit, and how they are held up without holding anything. */
import type { Fault as FaultConfig } from '../config/traffic-options.ts';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import { Alarm, type Wheel } from '../kernel/wheel.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { Reply } from '../plugin.ts';
import { compileWord, type WordReader } from '../wire/words.ts';
import { errorReply } from './problem.ts';

export interface FaultParts {
  readonly random: Random;
  readonly wheel: Wheel;
  /** Counts what was done. */
  readonly counts: { delays: number; aborts: number };
}

export class Fault {
  readonly #config: FaultConfig;
  readonly #parts: FaultParts;
  readonly #when: readonly { readonly read: WordReader; readonly value: string }[];

  constructor(config: FaultConfig, parts: FaultParts) {
    this.#config = config;
    this.#parts = parts;
    this.#when = Object.entries(config.when).map(([word, value]) => ({ read: compileWord(word), value }));
  }

  /** True when this request is to be hit; asked once, since it draws a lot. */
  hits(x: LiveExchange): boolean {
    for (const { read, value } of this.#when) if (read(x) !== value) return false;
    return this.#parts.random.next() < this.#config.percent;
  }

  /**
   * Holds the request up, then lets it go on: with the answer to give instead, or null to send it on. Takes over
   * `down.left` for the time between; a client that leaves in it is told to nobody.
   */
  strike(x: LiveExchange, then: (instead: Reply | null) => void): void {
    const { delayMs } = this.#config;
    if (delayMs === 0) {
      then(this.#abort());
      return;
    }
    const { wheel, counts } = this.#parts;
    counts.delays++;
    const alarm = new Alarm(() => then(this.#abort()));
    const left = () => {
      wheel.disarm(alarm);
      x.left = true;
      x.fail(gatewayError('GW_CLIENT_LEFT', 'while it was held up on purpose'));
      x.abort();
    };
    x.down.left = left;
    wheel.arm(alarm, delayMs);
  }

  #abort(): Reply | null {
    const { abort } = this.#config;
    if (abort === null) return null;
    this.#parts.counts.aborts++;
    const error: GatewayError = gatewayError('GW_FAULT');
    return { ...errorReply(error), status: abort };
  }
}
