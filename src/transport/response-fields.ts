/** The fields of a response as they go on: parsed, and without what belongs to the connection only. */
import { util } from 'undici';
import { createFields, type Fields } from '../wire/fields.ts';

/** More lines than this is nobody's honest head, however short they are. */
const MAX_LINES = 1000;

/** RFC 9110 section 7.6.1, and `trailer`, since trailers are announced anew on each hop. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Fields that `connection` may name but never take away: without them the message means something else. */
const KEPT = new Set(['content-length', 'content-type', 'content-encoding', 'set-cookie', 'location']);

export interface ResponseFields {
  readonly fields: Fields;
  /** What `connection` said, in lower case; empty when absent. */
  readonly connection: string;
  /** Seconds of the origin's `keep-alive: timeout=`, or null. */
  readonly keepAliveSeconds: number | null;
  readonly upgrade: string;
  /** Why the head cannot be trusted, or null. */
  readonly problem: string | null;
}

const add = (fields: Fields, name: string, value: string) => {
  const before = fields[name];
  if (before === undefined) fields[name] = name === 'set-cookie' ? [value] : value;
  else if (typeof before === 'string') fields[name] = [before, value];
  else before.push(value);
};

const latin1 = (raw: Buffer | string) => (typeof raw === 'string' ? raw : raw.toString('latin1'));

/** Takes away what `connection` names: those fields were meant for us only. */
export function dropNamed(fields: Fields, connection: string): void {
  if (connection === 'close' || connection === 'keep-alive') return;
  for (const token of connection.split(',')) {
    const name = token.trim();
    if (name !== '' && !KEPT.has(name)) delete fields[name];
  }
}

/**
 * Reads the raw lines of a head.
 * @param raw names and values in turn, as the parser gives them
 */
export function responseFields(raw: readonly (Buffer | string)[]): ResponseFields {
  const fields = createFields();
  let connection = '';
  let coding = '';
  let upgrade = '';
  let keepAliveSeconds: number | null = null;
  for (let at = 0; at < raw.length; at += 2) {
    const name = util.headerNameToString(raw[at]!);
    const value = latin1(raw[at + 1]!);
    if (!HOP_BY_HOP.has(name)) {
      add(fields, name, value);
    } else if (name === 'connection') {
      connection += `${connection === '' ? '' : ','}${value.toLowerCase()}`;
    } else if (name === 'transfer-encoding') {
      coding += `${coding === '' ? '' : ','}${value.toLowerCase()}`;
    } else if (name === 'keep-alive') {
      const match = /(?:^|[\s,])timeout=(\d{1,6})/i.exec(value);
      if (match !== null) keepAliveSeconds = Number(match[1]);
    } else if (name === 'upgrade') {
      upgrade = value.toLowerCase();
    }
  }
  if (connection !== '') dropNamed(fields, connection);
  let problem: string | null = null;
  // Any other coding would have to be undone here, since `transfer-encoding` never goes on.
  if (coding !== '' && coding !== 'chunked') problem = `transfer-encoding: ${coding}`;
  else if (raw.length > 2 * MAX_LINES) problem = 'too many header lines';
  return { fields, connection, keepAliveSeconds, upgrade, problem };
}

/** Trailers as a map, or null when there are none. */
export function responseTrailers(raw: readonly (Buffer | string)[] | null): Fields | null {
  if (raw === null || raw.length === 0) return null;
  const fields = createFields();
  for (let at = 0; at < raw.length; at += 2) {
    const name = util.headerNameToString(raw[at]!);
    if (!HOP_BY_HOP.has(name)) add(fields, name, latin1(raw[at + 1]!));
  }
  return fields;
}
