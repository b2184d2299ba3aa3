/** The answers that templates look into: those of the parts that are through, and the element at hand. */
import { ELEMENT, type PartReference } from '../wire/template.ts';
import { plainText, valueAt } from './json.ts';

export interface Answers {
  /** The value that a reference leads to, as JSON; null where there is none. */
  json(reference: PartReference): string | null;
  /** The same as one text; null where it has no such form. */
  text(reference: PartReference): string | null;
}

const textOf = (json: string | null): string | null => (json === null ? null : plainText(json));

/** What the parts have answered so far, defaults included. */
export class PartAnswers implements Answers {
  readonly #byPart = new Map<string, string>();
  // A part with `each` fills its templates many times, and an answer may be long: each value is looked up once.
  readonly #found = new Map<PartReference, string | null>();
  readonly #texts = new Map<PartReference, string | null>();

  get size(): number {
    return this.#byPart.size;
  }

  has(part: string): boolean {
    return this.#byPart.has(part);
  }

  /** @param json checked by `jsonProblem` */
  add(part: string, json: string): void {
    this.#byPart.set(part, json);
  }

  json(reference: PartReference): string | null {
    const known = this.#found.get(reference);
    if (known !== undefined) return known;
    const answer = this.#byPart.get(reference.part);
    const json = answer === undefined ? null : valueAt(answer, reference.steps);
    this.#found.set(reference, json);
    return json;
  }

  text(reference: PartReference): string | null {
    const known = this.#texts.get(reference);
    if (known !== undefined) return known;
    const text = textOf(this.json(reference));
    this.#texts.set(reference, text);
    return text;
  }
}

/** The same, with an element that `each` stands for. */
export class ElementAnswers implements Answers {
  element = '';
  readonly #answers: Answers;

  constructor(answers: Answers) {
    this.#answers = answers;
  }

  json(reference: PartReference): string | null {
    return reference.part === ELEMENT
      ? valueAt(this.element, reference.steps)
      : this.#answers.json(reference);
  }

  text(reference: PartReference): string | null {
    return reference.part === ELEMENT ? textOf(this.json(reference)) : this.#answers.text(reference);
  }
}
