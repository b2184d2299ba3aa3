/** Which trailer fields may pass: only what no one could take for framing, routing or a credential. */
import { createFields, type Fields, isFieldValue } from '../wire/fields.ts';

const ALLOWED = new Set([
  'grpc-status',
  'grpc-message',
  'grpc-status-details-bin',
  'content-digest',
  'repr-digest',
  'digest',
  'etag',
  'last-modified',
  'server-timing',
  'signature',
  'signature-input',
  'expires',
]);

/** Families of `x-` fields that servers take for the client's address, its identity, or the request line. */
const REFUSED =
  /^x-(?:forwarded|real|client|original|rewrite|http|method|auth|api-key|user|envoy|trace|csrf|accel)/;

/** True for a lower-case name that may stand in a trailer (RFC 9110 section 6.5.1). */
export function trailerAllowed(name: string): boolean {
  if (ALLOWED.has(name)) return true;
  return (name.startsWith('x-') || name.startsWith('grpc-')) && !name.includes('_') && !REFUSED.test(name);
}

/** The allowed fields of the parser's flat list, or null when none is left. */
export function requestTrailers(raw: readonly string[]): Fields | null {
  let fields: Fields | null = null;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    if (!trailerAllowed(name)) continue;
    fields ??= createFields();
    const had = fields[name];
    const value = raw[at + 1]!;
    if (had === undefined) fields[name] = value;
    else if (typeof had === 'string') fields[name] = [had, value];
    else had.push(value);
  }
  return fields;
}

/** The allowed fields as pairs, ready to be written; null when none is left. */
export function responseTrailers(fields: Fields | null): [string, string][] | null {
  if (fields === null) return null;
  const pairs: [string, string][] = [];
  for (const name in fields) {
    if (!trailerAllowed(name)) continue;
    const value = fields[name]!;
    for (const line of typeof value === 'string' ? [value] : value) {
      if (isFieldValue(line)) pairs.push([name, line]);
    }
  }
  return pairs.length === 0 ? null : pairs;
}
