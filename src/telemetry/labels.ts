/** Keeps the values of metric labels few: whatever a client or an upstream chooses falls into a known set. */
import { type GatewayCode, KINDS } from '../kernel/errors.ts';

/** Stands for every value outside the known set. */
export const OTHER = '_OTHER';

export const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'CONNECT',
  'TRACE',
  'QUERY',
  OTHER,
] as const;

const methodIndexes = new Map<string, number>(METHODS.map((method, index) => [method, index]));

/** Place of the method in METHODS; unknown ones share the last. */
export function methodIndex(method: string): number {
  return methodIndexes.get(method) ?? METHODS.length - 1;
}

/** `-` and the gateway's codes, in a fixed order. */
export const CODES: readonly (GatewayCode | '-')[] = ['-', ...(Object.keys(KINDS) as GatewayCode[])];

const codeIndexes = new Map<string, number>(CODES.map((code, index) => [code, index]));

/** Place of the code in CODES. */
export function codeIndex(code: GatewayCode | '-'): number {
  return codeIndexes.get(code) ?? 0;
}

// The registry of status codes, and 499 for a client that left.
const KNOWN_STATUSES = new Set([
  100, 101, 102, 103, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307,
  308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421,
  422, 423, 424, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511,
]);

/** `2xx`, or `none` when there was no answer. */
export function statusClass(status: number): string {
  return status >= 100 && status <= 599 ? `${Math.floor(status / 100)}xx` : 'none';
}

/** A registered status as it is; any other as its class, so that an upstream cannot make series at will. */
export function statusLabel(status: number): string {
  return KNOWN_STATUSES.has(status) ? String(status) : statusClass(status);
}
