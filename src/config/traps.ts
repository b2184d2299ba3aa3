/** The traps of YAML itself, told in words: what to quote, where a space is missing. */
import type { Problem } from './report.ts';

export interface Trap extends Problem {
  readonly offset: number;
}

const quoted = (text: string): string => (text.includes('"') ? `'${text}'` : `"${text}"`);

/** Where the value that holds an offset begins and ends, going by the line alone. */
const valueAround = (
  text: string,
  offset: number,
): { readonly start: number; readonly value: string; readonly flow: boolean } => {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const newline = text.indexOf('\n', offset);
  const line = text
    .slice(lineStart, newline < 0 ? undefined : newline)
    .replace(/\r$/, '')
    .replace(/\s#.*$/, '');
  const before = line.slice(0, offset - lineStart);
  const key = Math.max(before.lastIndexOf(': '), before.lastIndexOf('- '), before.lastIndexOf(', '));
  const open = key < 0 ? line.search(/\S|$/) : key + 2;
  const start = open + line.slice(open).search(/\S|$/);
  const rest = line.slice(start);
  const flow = /[{[]\s*(?:\S+:\s|[^:{}]*$)/.test(line.slice(0, start));
  // In a flow map the value ends where its own braces are closed again.
  const atKey = key < 0 && /^[*[]/.test(rest) ? /^.*?(?=:\s)/.exec(rest) : null;
  const match = flow ? /^(?:[^\s,{}[\]]|\{[^{}]*\}|\[[^[\]]*\])+/.exec(rest) : /^.*\S/.exec(rest);
  return { start: lineStart + start, value: (atKey ?? match)?.[0] ?? '', flow };
};

const REPLACEMENT = /\$\{[^}]*\}/;

const needsQuotes = (text: string, offset: number): Trap | null => {
  const { start, value, flow } = valueAround(text, offset);
  if (value === '' || value.length > 120) return null;
  const remedy = `Put quotes around it: ${quoted(value)}.`;
  if (/^\[[0-9a-fA-F:.]*\]:/.test(value))
    return { offset: start, message: 'an address that begins with `[` is read as a list', remedy };
  if (flow && REPLACEMENT.test(value))
    return {
      offset: start,
      message: `inside \`{ … }\` and \`[ … ]\` the braces of \`\${…}\` are read as a map`,
      remedy,
    };
  if (flow && /[^\s{,]\{/.test(value))
    return {
      offset: start,
      message: 'inside `{ … }` and `[ … ]` the braces of `{name}` are read as a map',
      remedy,
    };
  if (/^\{[^{}:,]*\}\S/.test(value))
    return { offset: start, message: 'a value that begins with `{` is read as a map', remedy };
  if (/^\*/.test(value))
    return { offset: start, message: 'a value that begins with `*` is read as an alias', remedy };
  return null;
};

const WORDS: Readonly<Record<string, Problem>> = {
  TAB_AS_INDENT: {
    message: 'a tab stands where YAML wants spaces',
    remedy: 'Indent with spaces, two for each level.',
  },
  MULTIPLE_DOCS: {
    message: 'a second document begins here',
    remedy: 'A configuration is one document: delete the `---` line, or split the file.',
  },
  BAD_INDENT: { message: 'this is not indented as what it belongs to, or a bracket before it is not closed' },
  BAD_ALIAS: { message: 'a value that begins with `*` is read as an alias', remedy: 'Put quotes around it.' },
  BAD_DQ_ESCAPE: {
    message: 'this backslash begins no escape that YAML knows',
    remedy: 'Use single quotes, in which a backslash is just a backslash.',
  },
  MULTILINE_IMPLICIT_KEY: {
    message: 'a key cannot go over lines',
    remedy: 'Look for a missing colon, or a line that is indented too far.',
  },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a second `key: value` begins on this line',
    remedy:
      'Put quotes around a value that holds a colon and a space; give each key its own line and the same indent.',
  },
  TAG_RESOLVE_FAILED: {
    message: 'a tag (`!…`) has no meaning here',
    remedy: 'Delete it, or put quotes around the value.',
  },
};

/** Two maps run into each other: by a colon in a value, or by a line that is indented too far. */
const indentTrap = (offset: number, text: string): Trap => {
  const newline = text.indexOf('\n', offset);
  const rest = text.slice(offset, newline < 0 ? undefined : newline);
  const before = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset);
  if (before.trim() === '' && rest.trimStart().startsWith('- '))
    return {
      offset,
      message: 'a list item stands among keys',
      remedy: 'Begin each item of the list with `- `, or indent the list under its key.',
    };
  if (newline >= 0 && !/:\s/.test(rest)) {
    const next = newline + 1 + text.slice(newline + 1).search(/\S|$/);
    return {
      offset: next,
      message: 'this line is indented further than the key before it',
      remedy: 'Give keys of one map the same indent.',
    };
  }
  return { offset, ...WORDS.BLOCK_AS_IMPLICIT_KEY! };
};

/** The quote that was never closed: the last that begins a value on the nearest line with an odd number of them. */
const openQuote = (text: string, offset: number): number => {
  for (let end = offset; end >= 0; ) {
    const start = text.lastIndexOf('\n', end - 1) + 1;
    const line = text.slice(start, end);
    for (const quote of ['"', "'"]) {
      const at = line.search(new RegExp(`(?<=^|[\\s:,[{])${quote}[^${quote}]*$`));
      if (at >= 0) return start + at;
    }
    if (start === 0) break;
    end = start - 1;
  }
  return offset;
};

/** The error of the YAML parser in words for somebody who doesn't know its grammar. */
export function syntaxTrap(code: string, offset: number, text: string): Trap {
  const rest = text.slice(offset);
  if (code === 'UNEXPECTED_TOKEN' || code === 'BAD_ALIAS') {
    const trap = needsQuotes(text, offset);
    if (trap !== null) return trap;
  }
  if (code === 'TAB_AS_INDENT' || /^[ ]*\t/.test(text.slice(text.lastIndexOf('\n', offset - 1) + 1)))
    return { offset, ...WORDS.TAB_AS_INDENT! };
  if (code === 'BAD_SCALAR_START') {
    const { start, value } = valueAround(text, offset);
    return {
      offset: start,
      message: `a value cannot begin with \`${rest[0]}\``,
      remedy: `Put quotes around it: ${quoted(value)}.`,
    };
  }
  if (code === 'MISSING_CHAR' && /^['"]|^$|^\s/.test(rest.slice(0, 1)))
    return {
      offset: openQuote(text, offset),
      message: 'a quote is not closed',
      remedy: 'Put the closing quote on the same line.',
    };
  if (code === 'BLOCK_AS_IMPLICIT_KEY') return indentTrap(offset, text);
  const words = WORDS[code];
  if (words !== undefined) return { offset, ...words };
  return {
    offset,
    message: 'the YAML is broken here',
    remedy: 'Look for a bracket too many or too few, a missing quote, or a wrong indent.',
  };
}

/** `*.example.com` without quotes is an alias to an anchor that nobody set. */
export function aliasTrap(name: string): Problem {
  if (/^[\w-]+$/.test(name))
    return {
      message: `no \`&${name}\` stands before \`*${name}\``,
      remedy: `If it is no alias, put quotes around it: "*${name}".`,
    };
  return {
    message: 'a value that begins with `*` is read as an alias',
    remedy: `Put quotes around it: "*${name}".`,
  };
}

/** `{ a:1 }` is one key `a:1` without a value; null where the key holds no such colon. */
export function colonTrap(key: string): Problem | null {
  const match = /^((?:https?:\/\/[^\s]*?:\d+)|[^:/]+):([^\s/].*)$/.exec(key);
  if (match === null || /^https?$/.test(match[1]!)) return null;
  return {
    message: `\`${key}\` is one key without a value`,
    remedy: `Put a space after the colon: \`${match[1]}: ${match[2]}\`.`,
  };
}
