/** One issuer of tokens: its rules, its keys wherever they come from, and the check of a signature. */
import { compactVerify, errors } from 'jose';
import { type ClaimRules, checkClaims, type Problem, problem } from './claims.ts';
import { isPublic, type Keys, type VerifyKey } from './keys.ts';
import type { RemoteKeys } from './remote-keys.ts';
import type { ReadToken } from './token.ts';

export interface IssuerParts {
  readonly name: string;
  readonly rules: ClaimRules;
  /** Narrows what the keys could verify; null leaves it to them. */
  readonly algorithms: ReadonlySet<string> | null;
  readonly keys: Keys | RemoteKeys;
}

/** The issuer publishes its keys, and none could be had so far. */
export class NoKeys extends Error {}

const unknownKey = ({ kid }: ReadToken): Problem =>
  problem('key', 'the token is signed with a key that is not known', kid);
const wrongAlgorithm = ({ alg }: ReadToken): Problem =>
  problem('algorithm', 'the token is signed with an algorithm that is not taken', alg);
const WRONG_SIGNATURE = problem('signature', 'the signature of the token is wrong');

const verifies = async (token: string, alg: string, key: VerifyKey): Promise<boolean> => {
  try {
    await compactVerify(token, key.usable.get(alg)!, { algorithms: [alg] });
    return true;
  } catch (error) {
    if (error instanceof errors.JOSEError) return false;
    throw error;
  }
};

export class Issuer {
  readonly name: string;
  readonly #parts: IssuerParts;

  constructor(parts: IssuerParts) {
    this.name = parts.name;
    this.#parts = parts;
  }

  get rules(): ClaimRules {
    return this.#parts.rules;
  }

  /** What is in force now; another object when the keys change. */
  get keys(): Keys | null {
    const { keys } = this.#parts;
    return 'current' in keys ? keys.current : keys;
  }

  /**
   * Checks everything about a token of this issuer, what costs least first.
   * @returns the keys that it was verified with, or what is wrong with it
   * @throws NoKeys when there is nothing to check it with
   */
  async check(token: string, read: ReadToken, nowMs: number): Promise<Keys | Problem> {
    const { rules, algorithms, keys } = this.#parts;
    const wrong = checkClaims(read, rules, nowMs);
    if (wrong !== null) return wrong;
    if (algorithms !== null && !algorithms.has(read.alg)) return wrongAlgorithm(read);
    const first = this.keys;
    const found = first === null ? unknownKey(read) : await verify(token, read, first);
    // Newer keys can only help a token whose key is not known, or that doesn't name one.
    const isOpen =
      'reason' in found &&
      (found.reason === 'key' || (found.reason === 'signature' && read.kid === undefined));
    if (!isOpen || !('current' in keys)) return found;
    await keys.renew(read.kid ?? '');
    const second = this.keys;
    if (second === null) throw new NoKeys(this.name);
    return second === first ? found : verify(token, read, second);
  }
}

async function verify(token: string, read: ReadToken, keys: Keys): Promise<Keys | Problem> {
  const { alg, kid } = read;
  const candidates = keys.find(kid, alg);
  for (const key of candidates) if (await verifies(token, alg, key)) return keys;
  if (candidates.length > 0) return WRONG_SIGNATURE;
  // A key that is known and for something else, or an algorithm that no key could have: no other keys are asked for.
  const isOpen = kid === undefined ? keys.algorithms.has(alg) : isPublic(alg) && !keys.names(kid);
  return isOpen ? unknownKey(read) : wrongAlgorithm(read);
}
