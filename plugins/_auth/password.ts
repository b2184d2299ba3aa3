/** Passwords as the file has them: scrypt hashes in the PHC string format, checked a few at a time. */
import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** A hash taken apart. */
export interface PasswordHash {
  readonly cost: { readonly N: number; readonly r: number; readonly p: number; readonly maxmem: number };
  readonly salt: Buffer;
  readonly hash: Buffer;
}

const FORM =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{16,88})\$([A-Za-z0-9+/]{43,88})$/;

/** Reads `$scrypt$ln=15,r=8,p=1$salt$hash`; null for what is none, or costs too little or too much to check. */
export function readPasswordHash(text: string): PasswordHash | null {
  const [, ln, r, p, salt, hash] = FORM.exec(text) ?? [];
  if (hash === undefined) return null;
  const [log, block, parallel] = [Number(ln), Number(r), Number(p)];
  if (log < 14 || log > 17 || block < 8 || block > 16 || parallel < 1 || parallel > 4) return null;
  const N = 2 ** log;
  // Twice what it needs (128 * N * r): Node's own limit is 32 MiB.
  const cost = { N, r: block, p: parallel, maxmem: 256 * N * block };
  return { cost, salt: Buffer.from(salt!, 'base64'), hash: Buffer.from(hash, 'base64') };
}

/** Each check takes tens of milliseconds of a core and 32 MiB: more at once would starve everything else. */
const MOST_AT_ONCE = 2;
const MOST_WAITING = 50;

const derive = (password: string, { cost, salt, hash }: PasswordHash): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    scrypt(password, salt, hash.byteLength, cost, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });

/** Checks passwords, so many at once; the rest waits in a line of bounded length. */
export class PasswordChecker {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** Whether the password is the hash's; null when too many wait already. Takes the same time for right and wrong. */
  async check(password: string, known: PasswordHash): Promise<boolean | null> {
    if (this.#running >= MOST_AT_ONCE) {
      if (this.#waiting.length >= MOST_WAITING) return null;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running++;
    try {
      return timingSafeEqual(await derive(password, known), known.hash);
    } finally {
      // The place goes to the next in line, or is free again.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/** Digests of passwords to remember them by: keyed, since passwords can be guessed and a dump must not help to. */
export function passwordDigests(): (name: string, password: string) => string {
  const key = randomBytes(32);
  return (name, password) => createHmac('sha256', key).update(`${name}\0${password}`).digest('base64');
}
