/** The templates of one part of an aggregate: path, headers and body, with every word in them checked. */
import {
  checkWord,
  ELEMENT,
  parameterOf,
  parseTemplate,
  partReference,
  type Template,
  TemplateError,
} from '../wire/template.ts';
import { WordError } from '../wire/words.ts';
import type { BodyPiece } from './aggregate-types.ts';
import { Refusal } from './forms.ts';
import { badSegment, isToken } from './patterns.ts';
import type { Report } from './report.ts';
import { meant } from './suggest.ts';
import type { ConfigPath } from './types.ts';

/** What a template may name. */
export interface Names {
  readonly report: Report;
  /** Of all parts of the aggregate. */
  readonly parts: readonly string[];
  /** Parameters of the route's path and host. */
  readonly parameters: readonly string[];
  /** Whether there is an element that `each` stands for. */
  readonly each: boolean;
}

/** Reads the templates of one part, and remembers which other parts they look into. */
export class TemplateReader {
  /** Names of other parts with the place of the template that first names each. */
  readonly needs = new Map<string, ConfigPath>();
  /** Whether a template holds `{each}`, or a value in it. */
  usesElement = false;
  readonly #names: Names;

  constructor(names: Names) {
    this.#names = names;
  }

  /** Reads one template; what is wrong in it is reported. */
  read(text: string, path: ConfigPath): Template {
    let template: Template;
    try {
      template = parseTemplate(text);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      const { report } = this.#names;
      report.on(path, { message: `${report.show(path, text)} ${error.message}` });
      return [text];
    }
    for (const [at, word] of template.entries()) if (at % 2 === 1) this.#check(word, path);
    return template;
  }

  /** Reads path and query. */
  target(text: string, path: ConfigPath): Template {
    const template = this.read(text, path);
    const refusal = badTarget(template);
    const { report } = this.#names;
    if (refusal !== null)
      report.on(path, {
        message: `${report.show(path, text)} ${refusal.message}`,
        remedy: refusal.remedy,
      });
    return template;
  }

  headers(headers: Readonly<Record<string, string>>, path: ConfigPath): Record<string, Template> {
    const { report } = this.#names;
    const read: Record<string, Template> = Object.create(null);
    for (const [name, text] of Object.entries(headers)) {
      const lower = name.toLowerCase();
      const place = [...path, name];
      if (!isToken(name)) report.onKey(place, { message: 'this is no name of a header' });
      else if (OURS.test(lower)) report.onKey(place, { message: 'this header is set by the gateway alone' });
      else if (lower in read)
        report.onKey(place, { message: 'this header stands here twice; case does not count' });
      else read[lower] = this.read(text, place);
    }
    return read;
  }

  /** Reads a JSON body: its texts are templates, all else is as it stands. */
  body(value: unknown, path: ConfigPath): BodyPiece[] {
    const pieces: BodyPiece[] = [];
    this.#body(value, path, pieces);
    return pieces;
  }

  /** Notes that another part must have answered before; one that is not there is reported. */
  needsPart(name: string, path: ConfigPath): void {
    const { parts } = this.#names;
    if (!parts.includes(name)) this.#tell(path, `there is no part "${name}"`, meant(name, parts));
    else if (!this.needs.has(name)) this.needs.set(name, path);
  }

  #tell(path: ConfigPath, message: string, remedy: string | null): void {
    const { report } = this.#names;
    report.on(path, {
      message: report.isReplaced(path) ? 'a word in braces means nothing' : message,
      remedy,
    });
  }

  #check(word: string, path: ConfigPath): void {
    const { parameters, each } = this.#names;
    const tell = (message: string, remedy: string | null) => this.#tell(path, message, remedy);
    // A malformed one too: one fault, one message.
    if (/^each(?![a-z])/.test(word)) this.usesElement = true;
    try {
      checkWord(word);
    } catch (error) {
      if (!(error instanceof WordError)) throw error;
      tell(
        error.message,
        parameters.includes(word)
          ? `Write {params.${word}}.`
          : 'Another part has its values under parts.NAME.',
      );
      return;
    }
    const reference = partReference(word);
    if (reference?.part === ELEMENT) {
      if (!each) tell(`{${word}} is of an element, and the part has no \`each\``, 'Add `each: parts.NAME`.');
      return;
    }
    if (reference !== null) {
      this.needsPart(reference.part, path);
      return;
    }
    const parameter = parameterOf(word);
    if (parameter !== null && !parameters.includes(parameter))
      tell(
        `neither path nor host has the parameter {${parameter}}`,
        meant(parameter, parameters) ?? 'Add it to `path` of the route.',
      );
  }

  #body(value: unknown, path: ConfigPath, into: BodyPiece[]): void {
    if (typeof value === 'string') into.push(textPiece(this.read(value, path)));
    else if (Array.isArray(value)) {
      literal(into, '[');
      for (const [at, one] of value.entries()) {
        if (at > 0) literal(into, ',');
        this.#body(one, [...path, at], into);
      }
      literal(into, ']');
    } else if (typeof value === 'object' && value !== null) {
      for (const [at, [name, one]] of Object.entries(value).entries()) {
        literal(into, `${at === 0 ? '{' : ','}${JSON.stringify(name)}:`);
        this.#body(one, [...path, name], into);
      }
      literal(into, Object.keys(value).length === 0 ? '{}' : '}');
    } else literal(into, JSON.stringify(value));
  }
}

/** Framing, the connection's own, what is said of the client and the trace, and what asks for less than an answer. */
const OURS =
  /^(?:connection|content-length|expect|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|via|accept-encoding|range|if-.*|forwarded|x-forwarded-.*|x-real-ip|x-trace-id|traceparent|tracestate)$/;

const literal = (pieces: BodyPiece[], text: string): void => {
  const last = pieces.at(-1);
  if (typeof last === 'string') pieces[pieces.length - 1] = last + text;
  else pieces.push(text);
};

const textPiece = (template: Template): BodyPiece => {
  if (template.length === 1) return JSON.stringify(template[0]);
  const whole = template.length === 3 && template[0] === '' && template[2] === '';
  return whole ? { value: template[1]! } : { text: template };
};

/** Stands where a word does while the text around it is checked. */
const FILLED = 'x';

const badTarget = (template: Template): Refusal | null => {
  const text = template.map((piece, at) => (at % 2 === 0 ? piece : FILLED)).join('');
  if (/^https?:\/\//.test(text))
    return new Refusal('is a URL, not a path', 'Name the service under `upstream`.');
  if (!text.startsWith('/')) return new Refusal('does not begin with `/`', 'Begin the path with a slash.');
  const question = text.indexOf('?');
  const path = question < 0 ? text : text.slice(0, question);
  if (path.includes('//')) return new Refusal('holds an empty segment (`//`)', 'Delete a slash.');
  for (const segment of path.slice(1).split('/')) {
    const bad = badSegment(segment);
    if (bad !== null) return bad;
  }
  if (question >= 0 && /[\s#"<>\\^`{|}\u007f-\uffff]/.test(text.slice(question)))
    return new Refusal('holds a character that stands in no query', 'Write it percent-encoded, as %20.');
  return null;
};
