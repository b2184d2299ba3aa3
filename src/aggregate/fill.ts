/** Fills the templates of a part for one request, each value encoded for its place. */
import type { BodyPiece } from '../config/aggregate-types.ts';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { canonicalPath } from '../router/path.ts';
import { type PartReference, partReference, type Template } from '../wire/template.ts';
import { compileValue, type ValueReader, valueText, type WordSource } from '../wire/words.ts';
import type { Answers } from './answers.ts';

/**
 * Makes one text for one request.
 * @throws GatewayError GW_PART_INPUT where the request lacks the value, GW_PART_VALUE where another part's answer does
 */
export type Fill = (x: WordSource, answers: Answers) => string;

/** Longest target and header: what any server takes. */
const MOST_CHARACTERS = 8192;

const STRICT = { encodedSlash: false, doubleSlash: false };

/** One word, ready to be looked up. */
class Hole {
  readonly word: string;
  readonly #reference: PartReference | null;
  readonly #read: ValueReader | null;

  constructor(word: string) {
    this.word = word;
    this.#reference = partReference(word);
    this.#read = this.#reference === null ? compileValue(word) : null;
  }

  /** As plain text. */
  text(x: WordSource, answers: Answers): string {
    const text =
      this.#reference === null ? valueText(this.#read!(x)) : (answers.text(this.#reference) ?? undefined);
    if (text === undefined) throw this.fault('is missing');
    if (!text.isWellFormed()) throw this.fault('is not Unicode');
    return text;
  }

  /** As JSON, with its type. */
  json(x: WordSource, answers: Answers): string {
    const json =
      this.#reference === null
        ? (JSON.stringify(this.#read!(x)) as string | undefined)
        : (answers.json(this.#reference) ?? undefined);
    if (json === undefined) throw this.fault('is missing');
    return json;
  }

  fault(why: string): GatewayError {
    return gatewayError(this.#reference === null ? 'GW_PART_INPUT' : 'GW_PART_VALUE', `${this.word} ${why}`);
  }
}

type Piece = string | Hole;

const compile = (template: Template): Piece[] =>
  template.map((piece, at) => (at % 2 === 1 ? new Hole(piece) : piece)).filter((piece) => piece !== '');

/** Where a value makes the text unfit, the last hole is named: most templates have one. */
const lastHole = (pieces: readonly Piece[]): Hole | undefined =>
  pieces.findLast((piece) => piece instanceof Hole);

const fillText = (encode: (text: string, hole: Hole) => string): ((template: Template) => Fill) => {
  return (template) => {
    const pieces = compile(template);
    if (pieces.every((piece) => typeof piece === 'string')) {
      const text = pieces.join('');
      return () => text;
    }
    return (x, answers) => {
      let text = '';
      for (const piece of pieces) {
        const value = typeof piece === 'string' ? piece : piece.text(x, answers);
        // Before it is encoded, which makes nothing shorter.
        if (text.length + value.length > MOST_CHARACTERS) throw lastHole(pieces)!.fault('is too long');
        text += typeof piece === 'string' ? value : encode(value, piece);
      }
      if (text.length > MOST_CHARACTERS) throw lastHole(pieces)!.fault('is too long');
      return text;
    };
  };
};

const fillQuery = fillText((text) => encodeURIComponent(text));

const fillHeader = fillText((text, hole) => {
  // Not Latin-1, or a line end that would begin another header.
  if (/[^\t\x20-\x7e\xa0-\xff]/.test(text)) throw hole.fault('cannot stand in a header');
  return text;
});

/** One segment: a value must not add segments, nor make one that climbs or is empty. */
const fillSegment = (template: Template): Fill => {
  const pieces = compile(template);
  const hole = lastHole(pieces);
  const fill = fillText((text) => encodeURIComponent(text))(template);
  if (hole === undefined) return fill;
  return (x, answers) => {
    const segment = fill(x, answers);
    if (segment === '' || canonicalPath(`/${segment}`, STRICT) !== `/${segment}`)
      throw hole.fault('cannot stand in a path');
    return segment;
  };
};

/** Cuts a template at each occurrence of a separator in its literal text. */
const split = (template: Template, separator: string, most = Number.POSITIVE_INFINITY): Template[] => {
  const cut: string[][] = [[]];
  for (const [at, piece] of template.entries()) {
    const texts = at % 2 === 1 ? [piece] : piece.split(separator);
    while (at % 2 === 0 && texts.length > 1 && cut.length < most) {
      cut.at(-1)!.push(texts.shift()!);
      cut.push([]);
    }
    cut.at(-1)!.push(texts.join(separator));
  }
  return cut;
};

export interface Target {
  readonly path: string;
  /** With its `?`, or empty. */
  readonly query: string;
}

/** Compiles path and query: a value in the path is one segment or a piece of one, in the query it is one value. */
export function compileTarget(template: Template): (x: WordSource, answers: Answers) => Target {
  const [before, after] = split(template, '?', 2) as [Template, Template | undefined];
  const segments = split(before, '/').slice(1).map(fillSegment);
  const query = after === undefined ? null : fillQuery(after);
  return (x, answers) => {
    let path = '';
    for (const fill of segments) path += `/${fill(x, answers)}`;
    return { path, query: query === null ? '' : `?${query(x, answers)}` };
  };
}

/** Compiles the value of a header. */
export function compileHeader(template: Template): Fill {
  return fillHeader(template);
}

/** Compiles a JSON body: a whole word keeps its type, numbers their digits; words within texts are text. */
export function compileBody(pieces: readonly BodyPiece[]): Fill {
  const fills = pieces.map((piece): Fill => {
    if (typeof piece === 'string') return () => piece;
    if ('value' in piece) {
      const hole = new Hole(piece.value);
      return (x, answers) => hole.json(x, answers);
    }
    const inner = compile(piece.text);
    return (x, answers) =>
      JSON.stringify(inner.map((one) => (typeof one === 'string' ? one : one.text(x, answers))).join(''));
  });
  return (x, answers) => {
    let json = '';
    for (const fill of fills) json += fill(x, answers);
    return json;
  };
}
