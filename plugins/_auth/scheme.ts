/** Where the scheme of an `Authorization` field ends and its credential begins. */

/**
 * Matches a scheme up to whatever can be no part of its name (RFC 9110 section 11.1): `Bearer<tab>x` is meant as a
 * token too.
 * @param name in letters
 */
export const schemePattern = (name: string): RegExp =>
  new RegExp(`^${name}(?![!#$%&'*+.^_\`|~0-9A-Za-z-])[ \\t]*`, 'i');
