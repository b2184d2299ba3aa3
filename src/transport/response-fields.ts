/** The fields of a response as they go on: parsed, and without what belongs to the connection only. */
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

const joined = (before: string | null, value: string) =>
  before === null ? value.toLowerCase() : `${before},${value.toLowerCase()}`;

const add = (fields: Fields, name: string, value: string) => {
  const before = fields[name];
  if (before === undefined) fields[name] = name === 'set-cookie' ? [value] : value;
  else if (typeof before === 'string') fields[name] = [before, value];
  else before.push(value);
};

/** Takes away what `connection` names: those fields were meant for us only. */
export function dropNamed(fields: Fields, connection: string): void {
  if (connection === 'close' || connection === 'keep-alive') return;
  for (const token of connection.split(',')) {
    const name = token.trim();
    if (name !== '' && !KEPT.has(name)) delete fields[name];
  }
}

/** The lines of one head, taken one by one. */
export class ResponseFields {
  readonly fields = createFields();
  /** What `connection` said, in lower case; null when absent. */
  connection: string | null = null;
  /** What `transfer-encoding` said, in lower case; null when absent. */
  coding: string | null = null;
  upgrade = '';
  /** Seconds of the origin's `keep-alive: timeout=`, or null. */
  keepAliveSeconds: number | null = null;
  private lines = 0;

  /** @param name in lower case */
  add(name: string, value: string): void {
    this.lines++;
    if (!HOP_BY_HOP.has(name)) add(this.fields, name, value);
    else if (name === 'connection') this.connection = joined(this.connection, value);
    else if (name === 'transfer-encoding') this.coding = joined(this.coding, value);
    else if (name === 'upgrade') this.upgrade = value.toLowerCase();
    else if (name === 'keep-alive') {
      const match = /(?:^|[\s,])timeout=(\d{1,6})/i.exec(value);
      if (match !== null) this.keepAliveSeconds = Number(match[1]);
    }
  }

  /** All lines are there, and are trailers: none of them can frame the message, which is over (RFC 9110 section 6.5.1). */
  trailers(): Fields {
    if (this.fields['content-length'] !== undefined) delete this.fields['content-length'];
    return this.fields;
  }

  /** All lines are there, and are a head. */
  finish(): this {
    if (this.connection !== null) dropNamed(this.fields, this.connection);
    return this;
  }

  /** Why the head cannot be trusted, or null. */
  get problem(): string | null {
    // Any other coding would have to be undone here, since `transfer-encoding` never goes on.
    if (this.coding !== null && this.coding !== 'chunked') return `transfer-encoding: ${this.coding}`;
    return this.lines > MAX_LINES ? 'too many header lines' : null;
  }
}

/** @param raw names and values in turn */
const linesOf = (raw: readonly string[]): ResponseFields => {
  const lines = new ResponseFields();
  for (let at = 0; at < raw.length; at += 2) lines.add(raw[at]!.toLowerCase(), raw[at + 1]!);
  return lines;
};

/**
 * Reads the lines of a head.
 * @param raw names and values in turn
 */
export function responseFields(raw: readonly string[]): ResponseFields {
  return linesOf(raw).finish();
}

/** Trailers as a map, or null when there are none. */
export function responseTrailers(raw: readonly string[]): Fields | null {
  return raw.length === 0 ? null : linesOf(raw).trailers();
}
