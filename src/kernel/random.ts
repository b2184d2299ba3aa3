/** Chance as everything else sees it, so that tests can repeat it. */
import { randomFillSync } from 'node:crypto';

export interface Random {
  /** A number in [0, 1); not for secrets. */
  next(): number;
  /** Bytes that nobody can guess. */
  bytes(count: number): Uint8Array;
}

/** The machine's own chance. */
export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: (count) => randomFillSync(new Uint8Array(count)),
};
