/** Sixteen random hexadecimal digits at a time, drawn in blocks: a draw of its own costs a microsecond. */
import type { Random } from '../kernel/random.ts';

/** 64 random bits as 16 lower-case digits, never all zero. */
export type RandomHex = () => string;

const DIGITS = 16;
const BLOCK_BYTES = 1024;
const ZERO = '0'.repeat(DIGITS);

/** Makes a source of digits that nobody can guess. */
export function createRandomHex(random: Random): RandomHex {
  let block = '';
  let at = 0;
  return () => {
    let digits = ZERO;
    while (digits === ZERO) {
      if (at >= block.length) {
        block = Buffer.from(random.bytes(BLOCK_BYTES)).toString('hex');
        at = 0;
      }
      digits = block.slice(at, at + DIGITS);
      at += DIGITS;
    }
    return digits;
  };
}
