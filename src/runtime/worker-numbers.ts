/** The worker numbers that this gateway holds, so that a change of other trace settings need not give one back. */
import type { Config } from '../config/types.ts';
import { chooseWorker, type WorkerNumber } from '../identity/worker.ts';
import type { Random } from '../kernel/random.ts';
import type { Lease } from '../kernel/table.ts';

type Trace = Pick<Config['trace'], 'worker' | 'datacenter' | 'bits'>;

interface Held {
  readonly trace: Trace;
  readonly number: WorkerNumber;
  shares: number;
}

export interface WorkerNumbersParts {
  readonly random: Random;
  readonly warn: (message: string) => void;
  /** Takes over the promise of a number that is being given back. */
  readonly closing: (work: Promise<void>) => void;
}

/** A number that was got in another way serves as well, where it is the one that is asked for. */
const serves = ({ trace, number }: Held, wanted: Trace) =>
  trace.datacenter === wanted.datacenter &&
  (wanted.worker === 'auto'
    ? trace.worker === 'auto' && trace.bits.worker === wanted.bits.worker
    : number.worker === wanted.worker && wanted.worker < 2 ** wanted.bits.worker);

export class WorkerNumbers {
  readonly #parts: WorkerNumbersParts;
  #held: Held[] = [];

  constructor(parts: WorkerNumbersParts) {
    this.#parts = parts;
  }

  /**
   * Shares the number that is held, or takes one.
   * @throws Error where the number that is asked for is in use by another process on this host
   */
  async take(trace: Trace): Promise<Lease<WorkerNumber>> {
    let held = this.#held.find((each) => serves(each, trace));
    if (held === undefined) {
      const { random, warn } = this.#parts;
      const { worker: wanted, datacenter, bits } = trace;
      const number = await chooseWorker({ wanted, datacenter, bits: bits.worker, random, warn });
      held = { trace, number, shares: 0 };
      this.#held.push(held);
    }
    held.shares++;
    return this.#lease(held);
  }

  #lease(held: Held): Lease<WorkerNumber> {
    let released = false;
    return {
      value: held.number,
      release: () => {
        if (released) return;
        released = true;
        held.shares--;
        if (held.shares > 0) return;
        this.#held = this.#held.filter((each) => each !== held);
        this.#parts.closing(held.number.release());
      },
    };
  }
}
