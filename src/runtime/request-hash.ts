/** The number by which a balancer that hashes tells requests apart. */
import type { Balance } from '../config/types.ts';
import { hashText } from '../kernel/hash.ts';
import type { Random } from '../kernel/random.ts';
import { compileWord, type WordSource } from '../wire/words.ts';

/**
 * Reads the key of a request as `balance.by` says; a request without one goes anywhere, by weight.
 * @returns null where the balancer does not hash
 */
export function createRequestHash(balance: Balance, random: Random): ((x: WordSource) => number) | null {
  if (balance.method !== 'hash') return null;
  const read = compileWord(balance.by);
  return (x) => {
    const key = read(x);
    return key === undefined ? Math.floor(random.next() * 2 ** 32) : hashText(key);
  };
}
