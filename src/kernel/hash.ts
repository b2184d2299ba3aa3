/** A fast hash of text, the same in every process, so that a fleet of gateways agrees. Not for secrets. */

const rotate = (value: number, by: number) => (value << by) | (value >>> (32 - by));

/** Spreads the bits of a number over all 32 (the finalizer of MurmurHash3). */
export function mix32(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/**
 * 32 bits of a text: MurmurHash3 (A. Appleby, x86_32) over its UTF-16 code units, two to a block.
 * @returns a whole number from 0 to 2^32 - 1
 */
export function hashText(text: string, seed = 0): number {
  let state = seed;
  for (let at = 0; at < text.length; at += 2) {
    const second = at + 1 < text.length ? text.charCodeAt(at + 1) : 0;
    const block = Math.imul(text.charCodeAt(at) | (second << 16), 0xcc9e2d51);
    state ^= Math.imul(rotate(block, 15), 0x1b873593);
    state = (Math.imul(rotate(state, 13), 5) + 0xe6546b64) | 0;
  }
  return mix32(state ^ text.length);
}
