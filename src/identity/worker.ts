/** Which worker number this process writes into its IDs, so that no two on one host share one. */
import { hostname } from 'node:os';
import type { Random } from '../kernel/random.ts';
import { takeLock, type WorkerLock } from './worker-lock.ts';

export interface WorkerOptions {
  readonly wanted: 'auto' | number;
  readonly datacenter: number;
  /** Bits of the worker number. */
  readonly bits: number;
  readonly random: Random;
  /** Told in one sentence when the number is only a guess at being unique. */
  readonly warn: (message: string) => void;
  /** The machine's own unless said. */
  readonly hostName?: string;
  /** Processes with different scopes don't see each other; `snowgate` unless said. */
  readonly scope?: string;
}

export interface WorkerNumber {
  readonly worker: number;
  readonly source: 'given' | 'ordinal' | 'random';
  /** Gives the number back, after the last ID. */
  release(): Promise<void>;
}

/**
 * The number at the end of a host name such as `gateway-3` or `gateway-3.gateway.svc`, or null. Names that end in
 * several numbers (`ip-10-0-0-12`) carry an address, not an ordinal.
 */
export function ordinalOf(hostName: string): number | null {
  const label = hostName.split('.', 1)[0]!;
  const match = /^(?!.*\d-\d+$).*-(\d{1,6})$/.exec(label);
  return match === null ? null : Number(match[1]);
}

/**
 * Chooses and locks a number: the one given; or the ordinal of the host name; or a random one, with a warning.
 * Throws an Error where the given one is out of range or in use by another process on this host, or where all are.
 */
export async function chooseWorker(options: WorkerOptions): Promise<WorkerNumber> {
  const { wanted, datacenter, bits, random, warn, hostName = hostname(), scope = 'snowgate' } = options;
  const count = 2 ** bits;
  const lock = (worker: number) => takeLock(`${scope}-worker-${datacenter}-${worker}`);
  const chosen = (worker: number, source: WorkerNumber['source'], held: WorkerLock): WorkerNumber => ({
    worker,
    source,
    release: () => held.release(),
  });

  if (wanted !== 'auto') {
    if (!Number.isInteger(wanted) || wanted < 0 || wanted >= count)
      throw new RangeError(`Worker number ${wanted} does not fit into ${bits} bits: 0 to ${count - 1}.`);
    const held = await lock(wanted);
    if (held === null)
      throw new Error(
        `Worker number ${wanted} is in use by another process on this host; give each its own, or auto.`,
      );
    return chosen(wanted, 'given', held);
  }

  const ordinal = ordinalOf(hostName);
  let why = `the host name ${hostName} has no ordinal at its end`;
  if (ordinal !== null && ordinal >= count) why = `the ordinal of ${hostName} does not fit into ${bits} bits`;
  else if (ordinal !== null) {
    const held = await lock(ordinal);
    if (held !== null) return chosen(ordinal, 'ordinal', held);
    why = `another process on this host has number ${ordinal}, the ordinal of ${hostName}`;
  }

  const first = Math.floor(random.next() * count);
  for (let tried = 0; tried < count; tried++) {
    const worker = (first + tried) % count;
    const held = await lock(worker);
    if (held === null) continue;
    warn(
      `Worker number ${worker} was drawn by chance, since ${why}; two hosts may draw the same and make equal IDs. Where several run, give each its own \`trace.worker\`.`,
    );
    return chosen(worker, 'random', held);
  }
  throw new Error(`All ${count} worker numbers are in use on this host.`);
}
