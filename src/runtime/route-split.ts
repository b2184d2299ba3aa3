/** Which of its targets a route takes for a request: in turn by weight, or the one that a key of the request stays with. */
import { createSplit, type Split } from '../upstream/split.ts';
import { createStickySplit, type StickySplit } from '../upstream/sticky-split.ts';
import { compileWord, type WordReader, type WordSource } from '../wire/words.ts';
import type { LiveTarget } from './live-target.ts';

export interface WeightedTarget {
  readonly weight: number;
  readonly value: LiveTarget;
}

interface Sticky {
  readonly key: WordReader;
  readonly split: StickySplit<LiveTarget>;
}

export class RouteSplit {
  readonly #inTurn: Split<LiveTarget>;
  readonly #sticky: Sticky | null;

  /**
   * @param splitBy the word whose value is the key; null for none
   * @throws RangeError when no weight is above 0
   */
  constructor(targets: readonly WeightedTarget[], splitBy: string | null) {
    this.#inTurn = createSplit(targets);
    const named = targets.map(({ weight, value }) => ({ name: value.upstreamName, weight, value }));
    this.#sticky =
      splitBy === null || targets.length === 1
        ? null
        : { key: compileWord(splitBy), split: createStickySplit(named) };
  }

  /** The target of a request; one without a key goes where its turn takes it. */
  of(x: WordSource): LiveTarget {
    if (this.#sticky === null) return this.#inTurn.next();
    const key = this.#sticky.key(x);
    return key === undefined || key === '' ? this.#inTurn.next() : this.#sticky.split.of(key);
  }

  /** Turns go on from where those of an earlier configuration stand, so that a reload is no jolt. */
  follow(before: RouteSplit): void {
    this.#inTurn.follow(before.#inTurn, (a, b) => a.upstreamName === b.upstreamName);
  }
}
