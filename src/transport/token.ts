/** Tokens, as names of fields and methods are (RFC 9110 section 5.6.2): checked letter by letter once, then known. */

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** As written, to their lower case. */
const known = new Map<string, string>();
const MAX_KNOWN = 1000;

/** The token in lower case, or null when it is none. */
export function lowerToken(text: string): string | null {
  const before = known.get(text);
  if (before !== undefined) return before;
  if (!TOKEN.test(text)) return null;
  const lower = text.toLowerCase();
  if (known.size < MAX_KNOWN) known.set(text, lower);
  return lower;
}
