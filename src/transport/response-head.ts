/** The head of a response, read from its text by RFC 9112 and no looser. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { isFieldValue } from '../wire/fields.ts';
import { ResponseFields } from './response-fields.ts';
import { lowerToken } from './token.ts';

const nonsense = (what: string): GatewayError => gatewayError('GW_UPSTREAM_PROTOCOL', what);

const lowerName = (raw: string): string => {
  const name = lowerToken(raw);
  // A space before the colon or a folded line are among what ends here.
  if (name === null) throw nonsense('malformed field name');
  return name;
};

const isBlank = (code: number) => code === 32 || code === 9;

/** Takes one line, from its first letter to before its CRLF. */
const readLine = (text: string, from: number, to: number, into: ResponseFields) => {
  const colon = text.indexOf(':', from);
  if (colon < 0 || colon >= to) throw nonsense('a line without a colon');
  let start = colon + 1;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  const value = text.slice(start, end);
  if (!isFieldValue(value)) throw nonsense('a control character in a field');
  into.add(lowerName(text.slice(from, colon)), value);
};

/**
 * Reads field lines.
 * @param text the lines with a CRLF behind each but the last
 * @param from where the first one begins
 * @throws GatewayError GW_UPSTREAM_PROTOCOL for anything but well-formed lines
 */
export function readLines(text: string, from: number, into: ResponseFields): void {
  for (let at = from; at < text.length; ) {
    let end = text.indexOf('\r\n', at);
    if (end < 0) end = text.length;
    readLine(text, at, end, into);
    at = end + 2;
  }
}

export class ParsedHead extends ResponseFields {
  readonly status: number;
  /** HTTP/1.0. */
  readonly isOld: boolean;

  constructor(status: number, isOld: boolean) {
    super();
    this.status = status;
    this.isOld = isOld;
  }

  /** Whether the connection ends with the answer. */
  get closes(): boolean {
    return this.isOld || this.connection?.includes('close') === true;
  }
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;

/**
 * Reads a whole head.
 * @param text without the blank line at its end
 * @throws GatewayError GW_UPSTREAM_PROTOCOL for anything but a well-formed head
 */
export function parseHead(text: string): ParsedHead {
  const end = text.indexOf('\r\n');
  const line = STATUS_LINE.exec(end < 0 ? text : text.slice(0, end));
  if (line === null) throw nonsense('no status line of HTTP/1.0 or 1.1');
  const head = new ParsedHead(Number(line[2]), line[1] === '0');
  if (end >= 0) readLines(text, end + 2, head);
  head.finish();
  const { problem } = head;
  if (problem !== null) throw nonsense(problem);
  return head;
}

/** False for the beginning of something that can never become a head. */
export function mayBecomeHead(text: string): boolean {
  return 'HTTP/1.'.startsWith(text.slice(0, 7)) && !/(?:^|[^\r])\n/.test(text);
}

/**
 * How long the body is by its framing (RFC 9112 section 6.3); null when its chunks or the end of the connection tell.
 * @throws GatewayError GW_UPSTREAM_PROTOCOL where two framings contradict each other, or a length is malformed
 */
export function bodyLength(head: ParsedHead, toHead: boolean): number | null {
  const text = head.fields['content-length'];
  // RFC 9112 section 6.1: the framing of such an answer is faulty.
  if (head.isOld && head.coding !== null) throw nonsense('transfer-encoding in HTTP/1.0');
  if (text !== undefined && head.coding !== null) throw nonsense('both content-length and transfer-encoding');
  if (text !== undefined && (typeof text !== 'string' || !/^\d{1,15}$/.test(text)))
    throw nonsense(`content-length: ${text}`);
  if (toHead || head.status === 204 || head.status === 304) return 0;
  return text === undefined ? null : Number(text);
}
