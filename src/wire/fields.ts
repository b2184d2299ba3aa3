/** Header and trailer fields: lower-case names in a map without a prototype. */

/** What the parsers give; `set-cookie` and any repeated field may be a list. */
export type Fields = Record<string, string | string[]>;

/** An empty map that no client can trick by a name such as `__proto__`. */
export function createFields(): Fields {
  return Object.create(null) as Fields;
}

/** The value as one string, its lines joined by a comma as RFC 9110 section 5.3 allows; undefined when absent. */
export function fieldText(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  return typeof value === 'object' ? value.join(', ') : value;
}

const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** True for what can stand as a value in a line of a head: Latin-1 without controls but the tab (RFC 9110 section 5.5). */
export function isFieldValue(text: string): boolean {
  return !NOT_IN_VALUE.test(text);
}
