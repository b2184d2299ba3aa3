/** Puts the environment and files in for `${NAME}`, `${NAME:-default}` and `${file:/path}` in one scalar. */
import type { Problem } from './report.ts';

/** Where replacements come from. */
export interface Values {
  /** Undefined when it is not set. */
  env(name: string): string | undefined;
  /** What a file holds, without its last line end; or why not. */
  file(path: string): { readonly text: string } | Problem;
}

export interface Interpolated {
  readonly text: string;
  /** Something was put in. */
  readonly changed: boolean;
  /** The scalar was one `${…}` and nothing else. */
  readonly whole: boolean;
  /** A file was put in: such a value stays text. */
  readonly fromFile: boolean;
  readonly problems: readonly Problem[];
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const FORMS = `Write \${NAME}, \${NAME:-default} or \${file:/path}; a literal \${ is $\${.`;

type Piece = { readonly text: string; readonly fromFile?: boolean } | Problem;

const unset = (name: string): Problem => ({
  message: `the environment variable ${name} is not set`,
  remedy: `Set it, or write a default: \${${name}:-default}.`,
});

const replace = (inner: string, values: Values): Piece => {
  if (inner.startsWith('file:')) {
    const path = inner.slice(5);
    if (path === '') return { message: 'a replacement by `file:` names no file', remedy: FORMS };
    const read = values.file(path);
    return 'message' in read ? read : { text: read.text, fromFile: true };
  }
  const split = inner.indexOf(':-');
  const name = split < 0 ? inner : inner.slice(0, split);
  if (!NAME.test(name))
    return { message: `\`\${${inner}}\` is no replacement that Snowgate knows`, remedy: FORMS };
  const value = values.env(name);
  if (split >= 0) return { text: value === undefined || value === '' ? inner.slice(split + 2) : value };
  return value === undefined ? unset(name) : { text: value };
};

/** Replaces once: what was put in is not looked at again. `$${` gives `${`. */
export function interpolate(source: string, values: Values): Interpolated {
  const problems: Problem[] = [];
  let [text, at, changed, fromFile, whole] = ['', 0, false, false, false];
  while (at < source.length) {
    const open = source.indexOf('${', at);
    if (open < 0) break;
    if (open > at && source[open - 1] === '$') {
      text += `${source.slice(at, open - 1)}\${`;
      at = open + 2;
      continue;
    }
    const close = source.indexOf('}', open);
    if (close < 0) {
      problems.push({ message: `a \`\${\` has no closing \`}\``, remedy: FORMS });
      break;
    }
    const piece = replace(source.slice(open + 2, close), values);
    if ('message' in piece) problems.push(piece);
    else {
      text += source.slice(at, open) + piece.text;
      changed = true;
      if (piece.fromFile === true) fromFile = true;
    }
    whole = open === 0 && close === source.length - 1;
    at = close + 1;
  }
  return { text: text + source.slice(at), changed, whole, fromFile, problems };
}

/** The value of a whole `${…}`: a plain decimal number and `true` or `false` are typed, all else is text. */
export function typed(text: string): string | number | boolean {
  if (text === 'true') return true;
  if (text === 'false') return false;
  return /^-?\d{1,16}(\.\d{1,16})?$/.test(text) && String(Number(text)) === text ? Number(text) : text;
}

/** Environment variables whose values are never shown again. */
export function looksSecret(name: string): boolean {
  return /pass(word|wd|phrase)?|secret|token|credential|private|api_?key|(^|_)(key|auth|pwd|dsn|pin|salt)(_|$)/i.test(
    name,
  );
}
