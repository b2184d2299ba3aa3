/** Texts with dotted words in braces, such as `/users/{claims.sub}`: taken apart once, filled for each request. */
import { compileValue, WordError, wordSteps } from './words.ts';

/** Literal text at even places, words at odd ones; so an odd number of pieces. */
export type Template = readonly string[];

/** Stands for the part in a reference to the element at hand; no part can have this name. */
export const ELEMENT = '*';

/** A value in what another part of an aggregate answered, `parts.user.id`, or in the element at hand, `each.id`. */
export interface PartReference {
  /** The name of the part, or ELEMENT. */
  readonly part: string;
  /** Members and indexes from the root of its answer; none is the whole answer. */
  readonly steps: readonly string[];
}

/** A text that cannot be read; the message says why, as a predicate. */
export class TemplateError extends Error {}

/** Doubled braces, a word in braces (a quoted name in it may hold braces itself), or a brace too many. */
const MARK = /\{\{|\}\}|\{((?:[^{}"']|"[^"]*"|'[^']*')*)\}|[{}]/g;

/**
 * Takes a text apart; `{{` and `}}` stand for the braces themselves.
 * @throws TemplateError
 */
export function parseTemplate(text: string): Template {
  const pieces: string[] = [];
  let literal = '';
  let from = 0;
  for (const mark of text.matchAll(MARK)) {
    literal += text.slice(from, mark.index);
    from = mark.index + mark[0].length;
    if (mark[0] === '{{' || mark[0] === '}}') literal += mark[0][0];
    else if (mark[1] === undefined)
      throw new TemplateError(`holds a \`${mark[0]}\` that belongs to no word; doubled it stands for itself`);
    else {
      pieces.push(literal, mark[1].trim());
      literal = '';
    }
  }
  pieces.push(literal + text.slice(from));
  return pieces;
}

/** The words of a template, in their order. */
export function wordsOf(template: Template): string[] {
  return template.filter((_piece, at) => at % 2 === 1);
}

/**
 * The template as text again.
 * @param fill gives what stands for a word, or null to leave it in its braces
 */
export function templateText(template: Template, fill: (word: string) => string | null = () => null): string {
  return template
    .map((piece, at) => (at % 2 === 1 ? (fill(piece) ?? `{${piece}}`) : piece.replace(/[{}]/g, '$&$&')))
    .join('');
}

const elementReference = (word: string): PartReference => {
  const steps = wordSteps(word.slice('each'.length));
  if (steps === null)
    throw new WordError(`"${word.slice(0, 80)}" names no value of an element; write each or each.MEMBER`);
  return { part: ELEMENT, steps };
};

/**
 * Reads `parts.NAME` or `each` and what follows it; null for a word that is none of these.
 * @throws WordError where it begins so and is malformed
 */
export function partReference(word: string): PartReference | null {
  if (/^each(?![a-z])/.test(word)) return elementReference(word);
  if (!/^parts(?![a-z])/.test(word)) return null;
  const [part, ...steps] = wordSteps(word.slice('parts'.length)) ?? [];
  if (part === undefined)
    throw new WordError(`"${word.slice(0, 80)}" names no value of a part; write parts.NAME.MEMBER`);
  return { part, steps };
}

/** The parameter of the route that a word names, or null. */
export function parameterOf(word: string): string | null {
  if (!word.startsWith('params')) return null;
  return wordSteps(word.slice('params'.length))?.[0] ?? null;
}

/**
 * Checks one word of a template.
 * @throws WordError with a sentence for whoever wrote it
 */
export function checkWord(word: string): void {
  if (partReference(word) === null) compileValue(word);
}
