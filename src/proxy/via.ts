/** The Via field (RFC 9110 section 7.6.3): our own entry, and the loops that it gives away. */
import { type Fields, fieldText } from '../wire/fields.ts';

/** A request that has been through more proxies than this goes in circles, whatever their names. */
const MAX_HOPS = 64;

/** Adds `<version> <viaName>` at the end of the chain. */
export function appendVia(fields: Fields, version: string, viaName: string): void {
  const before = fieldText(fields, 'via');
  fields.via =
    before === undefined || before === '' ? `${version} ${viaName}` : `${before}, ${version} ${viaName}`;
}

/**
 * True when the request has been through this gateway before, or through more than 64 proxies.
 * Comments are read as if they were entries: a client's unclosed parenthesis must not hide ours behind it.
 * @param viaName the name that this gateway writes; compared exactly, as a whole word
 */
export function detectLoop(fields: Fields, viaName: string): boolean {
  const via = fieldText(fields, 'via');
  if (via === undefined) return false;
  let hops = 0;
  let start = 0;
  while (start <= via.length) {
    if (++hops > MAX_HOPS) return true;
    let end = via.indexOf(',', start);
    if (end === -1) end = via.length;
    const words = via
      .slice(start, end)
      .trim()
      .split(/[ \t()]+/);
    if (words.includes(viaName, 1)) return true;
    start = end + 1;
  }
  return false;
}
