/** JSON as text: checked whole, then cut into members and never rebuilt, so that nothing in it changes on its way. */

/** What one answer may hold. */
export interface JsonBounds {
  /** Maps and lists within each other. */
  readonly depth: number;
  /** Members of all its maps together. */
  readonly keys: number;
}

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_LIST = 91;
const BACKSLASH = 92;
const CLOSE_LIST = 93;
const OPEN_MAP = 123;
const CLOSE_MAP = 125;

/** The place behind the string whose first quote stands at `at`; the text's end where it is never closed. */
const afterString = (text: string, at: number): number => {
  for (let from = at + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return text.length;
    let escapes = 0;
    while (text.charCodeAt(quote - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return quote + 1;
    from = quote + 1;
  }
};

/**
 * What is wrong with a text as JSON, in a few words; null where nothing is. Depth and members are counted before
 * it is parsed, so that what is too much is never built.
 */
export function jsonProblem(text: string, bounds: JsonBounds): string | null {
  let depth = 0;
  let keys = 0;
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = afterString(text, at);
      continue;
    }
    if (code === OPEN_MAP || code === OPEN_LIST) {
      if (++depth > bounds.depth) return `deeper than ${bounds.depth} maps and lists`;
    } else if (code === CLOSE_MAP || code === CLOSE_LIST) depth--;
    else if (code === COLON && ++keys > bounds.keys) return `more than ${bounds.keys} members`;
    at++;
  }
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    // The message quotes the text, which is not ours to log.
    if (error instanceof SyntaxError) return 'not JSON';
    throw error;
  }
}

const isSpace = (code: number) => code === 32 || code === 10 || code === 13 || code === 9;

const afterSpace = (text: string, at: number): number => {
  let after = at;
  while (isSpace(text.charCodeAt(after))) after++;
  return after;
};

/** The place behind the value that begins at `at`. */
const afterValue = (text: string, at: number): number => {
  const first = text.charCodeAt(at);
  if (first === QUOTE) return afterString(text, at);
  let depth = 0;
  let after = at;
  while (after < text.length) {
    const code = text.charCodeAt(after);
    if (code === QUOTE) {
      after = afterString(text, after);
      continue;
    }
    if (code === OPEN_MAP || code === OPEN_LIST) depth++;
    else if (code === CLOSE_MAP || code === CLOSE_LIST) {
      // A closing bracket at no depth is that of what stands around the value.
      if (depth === 0) return after;
      depth--;
      if (depth === 0) return after + 1;
    } else if (depth === 0 && (code === COMMA || isSpace(code))) return after;
    after++;
  }
  return after;
};

/**
 * Tells of each member of a map its name, and where the text of its value stands. False for what is no map.
 * @param json checked by `jsonProblem`
 */
export function eachMember(json: string, tell: (name: string, from: number, to: number) => void): boolean {
  let at = afterSpace(json, 0);
  if (json.charCodeAt(at) !== OPEN_MAP) return false;
  at = afterSpace(json, at + 1);
  while (json.charCodeAt(at) === QUOTE) {
    const nameEnd = afterString(json, at);
    const name = JSON.parse(json.slice(at, nameEnd)) as string;
    // Past the colon.
    const from = afterSpace(json, afterSpace(json, nameEnd) + 1);
    const to = afterValue(json, from);
    tell(name, from, to);
    at = afterSpace(json, to);
    if (json.charCodeAt(at) === COMMA) at = afterSpace(json, at + 1);
  }
  return true;
}

/**
 * Tells of each value of a list where its text stands. False for what is no list.
 * @param json checked by `jsonProblem`
 */
export function eachElement(json: string, tell: (from: number, to: number) => void): boolean {
  let at = afterSpace(json, 0);
  if (json.charCodeAt(at) !== OPEN_LIST) return false;
  at = afterSpace(json, at + 1);
  while (at < json.length && json.charCodeAt(at) !== CLOSE_LIST) {
    const to = afterValue(json, at);
    tell(at, to);
    at = afterSpace(json, to);
    if (json.charCodeAt(at) === COMMA) at = afterSpace(json, at + 1);
  }
  return true;
}

/**
 * The members of a map as the text of each, in their order; where a name stands twice the last one counts, as
 * everywhere in JavaScript. Null for what is no map.
 * @param json checked by `jsonProblem`
 */
export function membersOf(json: string): Map<string, string> | null {
  const members = new Map<string, string>();
  return eachMember(json, (name, from, to) => members.set(name, json.slice(from, to))) ? members : null;
}

/**
 * The values of a list as the text of each. Null for what is no list.
 * @param json checked by `jsonProblem`
 */
export function elementsOf(json: string): string[] | null {
  const elements: string[] = [];
  return eachElement(json, (from, to) => elements.push(json.slice(from, to))) ? elements : null;
}

/** A map of members put together again. */
export function joinMembers(members: Iterable<readonly [string, string]>): string {
  let text = '';
  for (const [name, value] of members) text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${value}`;
  return `{${text}}`;
}

/** Where the text of a value stands. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Where the value stands that the steps lead to (RFC 6901 without its syntax), or null where there is none. */
export function rangeAt(json: string, steps: readonly string[]): Range | null {
  let range: Range = { from: 0, to: json.length };
  for (const step of steps) {
    const inner = stepInto(json.slice(range.from, range.to), step);
    if (inner === null) return null;
    range = { from: range.from + inner.from, to: range.from + inner.to };
  }
  return range;
}

const INDEX = /^(?:0|[1-9]\d{0,8})$/;

const stepInto = (json: string, step: string): Range | null => {
  let found: Range | null = null;
  const index = INDEX.test(step) ? Number(step) : -1;
  let at = 0;
  const isList = eachElement(json, (from, to) => {
    if (at++ === index) found = { from, to };
  });
  if (!isList)
    eachMember(json, (name, from, to) => {
      if (name === step) found = { from, to };
    });
  return found;
};

/** The text of the value that the steps lead to, or null where there is none. */
export function valueAt(json: string, steps: readonly string[]): string | null {
  const range = rangeAt(json, steps);
  return range === null ? null : json.slice(range.from, range.to);
}

/**
 * A value as one text: a string without its quotes, a number as it is written, a list of these joined by commas.
 * Null for what has no such form.
 */
export function plainText(json: string): string | null {
  const value = json.trim();
  if (value.startsWith('"')) return JSON.parse(value) as string;
  const elements = elementsOf(value);
  if (elements === null) return value === 'null' || value.startsWith('{') ? null : value;
  const texts = elements.map((element) => (/^[[{n]/.test(element) ? null : plainText(element)));
  return texts.length === 0 || texts.includes(null) ? null : texts.join(',');
}
