/** The one table of the ways a request can end badly, and the error that carries them. */

export type Source = 'client' | 'upstream' | 'gateway';

/**
 * When trying again is safe:
 * `never`; `unsent` (nothing left this machine); `reused` (an idle socket closed as we wrote, with no answer);
 * `idempotent` (the upstream may have acted).
 */
export type Retry = 'never' | 'unsent' | 'reused' | 'idempotent';

interface Kind {
  readonly status: number;
  readonly source: Source;
  readonly retry: Retry;
  /** Error type of RFC 9209 section 2.3, or null where none fits. */
  readonly proxyStatus: string | null;
  /** One sentence for the client and the docs. */
  readonly title: string;
}

const kind = (
  status: number,
  source: Source,
  retry: Retry,
  proxyStatus: string | null,
  title: string,
): Kind => ({ status, source, retry, proxyStatus, title });

export const KINDS = {
  GW_BAD_REQUEST: kind(400, 'client', 'never', 'http_request_error', 'The request is malformed.'),
  GW_BAD_HOST: kind(
    400,
    'client',
    'never',
    'http_request_error',
    'The Host header is missing, doubled or malformed.',
  ),
  GW_BAD_PATH: kind(400, 'client', 'never', 'http_request_error', 'The path is ambiguous or malformed.'),
  GW_REQUEST_TIMEOUT: kind(
    408,
    'client',
    'never',
    'http_request_error',
    'The request did not arrive in time.',
  ),
  GW_BODY_TOO_LARGE: kind(
    413,
    'client',
    'never',
    'http_request_error',
    'The request body is larger than allowed.',
  ),
  GW_URL_TOO_LONG: kind(414, 'client', 'never', 'http_request_error', 'The URL is longer than allowed.'),
  GW_EXPECTATION: kind(417, 'client', 'never', 'http_request_error', 'The expectation cannot be met.'),
  GW_HEADERS_TOO_LARGE: kind(
    431,
    'client',
    'never',
    'http_request_error',
    'The request headers are larger than allowed.',
  ),
  GW_METHOD_REFUSED: kind(
    405,
    'client',
    'never',
    'http_request_denied',
    'This gateway does not serve the method.',
  ),
  GW_UPGRADE_REFUSED: kind(
    400,
    'client',
    'never',
    'http_request_denied',
    'The upgrade is not a valid WebSocket handshake.',
  ),
  GW_CLIENT_LEFT: kind(499, 'client', 'never', null, 'The client left before the answer was complete.'),
  GW_NO_ROUTE: kind(404, 'gateway', 'never', 'destination_not_found', 'No route matches the request.'),
  GW_METHOD_NOT_ALLOWED: kind(
    405,
    'client',
    'never',
    'http_request_denied',
    'The route exists, but not for this method.',
  ),
  GW_LOOP: kind(
    502,
    'gateway',
    'never',
    'proxy_loop_detected',
    'The request has been through this gateway before.',
  ),
  GW_UNAUTHENTICATED: kind(401, 'client', 'never', 'http_request_denied', 'A valid credential is needed.'),
  GW_FORBIDDEN: kind(403, 'client', 'never', 'http_request_denied', 'The credential does not allow this.'),
  GW_ORIGIN_REFUSED: kind(
    403,
    'client',
    'never',
    'http_request_denied',
    'Pages of this origin may not make this request.',
  ),
  GW_CREDENTIAL_ENDED: kind(
    401,
    'client',
    'never',
    null,
    'The credential ended while the connection was open.',
  ),
  GW_RATE_LIMITED: kind(429, 'client', 'never', 'http_request_denied', 'Too many requests.'),
  GW_FAULT: kind(503, 'gateway', 'never', 'proxy_internal_response', 'A fault was made on purpose.'),
  GW_IN_FLIGHT: kind(429, 'client', 'never', 'http_request_denied', 'Too many requests at once.'),
  GW_LIMIT_STORE: kind(503, 'gateway', 'never', 'proxy_internal_error', 'Limits cannot be checked now.'),
  GW_CONNECTIONS: kind(
    503,
    'gateway',
    'never',
    'connection_limit_reached',
    'The gateway has as many connections as it may.',
  ),
  GW_SHED: kind(
    503,
    'gateway',
    'never',
    'proxy_internal_response',
    'The gateway has more to do than it can.',
  ),
  GW_STOPPING: kind(503, 'gateway', 'never', 'proxy_internal_response', 'The gateway is shutting down.'),
  GW_NOT_READY: kind(
    503,
    'gateway',
    'never',
    'proxy_internal_response',
    'The gateway cannot make trace IDs now.',
  ),
  GW_AUTH_UNAVAILABLE: kind(
    503,
    'gateway',
    'never',
    'proxy_internal_response',
    'Credentials cannot be checked now.',
  ),
  GW_PLUGIN: kind(500, 'gateway', 'never', 'proxy_internal_error', 'A plugin failed.'),
  GW_INTERNAL: kind(500, 'gateway', 'never', 'proxy_internal_error', 'The gateway failed.'),
  GW_NO_ENDPOINT: kind(
    503,
    'upstream',
    'never',
    'destination_unavailable',
    'No endpoint of the upstream can be used.',
  ),
  GW_QUEUE_FULL: kind(
    503,
    'gateway',
    'never',
    'connection_limit_reached',
    'Too many requests wait for the upstream.',
  ),
  GW_QUEUE_TIMEOUT: kind(
    503,
    'gateway',
    'never',
    'connection_limit_reached',
    'No slot of the upstream came free in time.',
  ),
  GW_BREAKER_OPEN: kind(
    503,
    'upstream',
    'never',
    'destination_unavailable',
    'The circuit breaker of the upstream is open.',
  ),
  GW_DNS: kind(502, 'upstream', 'unsent', 'dns_error', 'The name of the upstream could not be resolved.'),
  GW_CONNECT_REFUSED: kind(
    502,
    'upstream',
    'unsent',
    'connection_refused',
    'The upstream refused the connection.',
  ),
  GW_CONNECT_TIMEOUT: kind(
    504,
    'upstream',
    'unsent',
    'connection_timeout',
    'The upstream did not accept the connection in time.',
  ),
  GW_TLS: kind(
    502,
    'upstream',
    'unsent',
    'tls_protocol_error',
    'The TLS handshake with the upstream failed.',
  ),
  GW_TLS_CERTIFICATE: kind(
    502,
    'upstream',
    'unsent',
    'tls_certificate_error',
    'The certificate of the upstream is not valid.',
  ),
  GW_UPSTREAM_STALE: kind(
    502,
    'upstream',
    'reused',
    'connection_terminated',
    'The upstream closed an idle connection as it was used.',
  ),
  GW_UPSTREAM_RESET: kind(
    502,
    'upstream',
    'idempotent',
    'connection_terminated',
    'The upstream closed the connection before it answered.',
  ),
  GW_UPSTREAM_TIMEOUT: kind(
    504,
    'upstream',
    'idempotent',
    'http_response_timeout',
    'The upstream did not answer in time.',
  ),
  GW_TIMEOUT: kind(
    504,
    'upstream',
    'never',
    'http_response_timeout',
    'The time for the whole request is over.',
  ),
  GW_UPSTREAM_PROTOCOL: kind(
    502,
    'upstream',
    'never',
    'http_protocol_error',
    'The upstream sent something that is not valid HTTP.',
  ),
  GW_UPSTREAM_HEADERS: kind(
    502,
    'upstream',
    'never',
    'http_response_header_section_size',
    'The response headers of the upstream are too large.',
  ),
  GW_UPSTREAM_CUT: kind(
    502,
    'upstream',
    'never',
    'http_response_incomplete',
    'The upstream broke off in the middle of its answer.',
  ),
  GW_UPSTREAM_IDLE: kind(
    504,
    'upstream',
    'never',
    'connection_read_timeout',
    'The upstream fell silent in the middle of its answer.',
  ),
  GW_HEDGE_LOST: kind(503, 'gateway', 'never', null, 'Another endpoint answered first.'),
  GW_UPGRADE_FAILED: kind(
    502,
    'upstream',
    'never',
    'http_upgrade_failed',
    'The upstream did not complete the upgrade.',
  ),
  GW_PART_INPUT: kind(
    400,
    'client',
    'never',
    'http_request_error',
    'The request lacks a value that a part of the answer is made from.',
  ),
  GW_PART_VALUE: kind(
    502,
    'upstream',
    'never',
    null,
    'A part of the answer lacks a value that another one is made from.',
  ),
  GW_PART_STATUS: kind(502, 'upstream', 'never', null, 'The service of a part answered with an error.'),
  GW_PART_UNAVAILABLE: kind(
    503,
    'upstream',
    'never',
    'destination_unavailable',
    'The service of a part has no room for the request now.',
  ),
  GW_PART_TYPE: kind(
    502,
    'upstream',
    'never',
    null,
    'The answer of a part is empty, or not said to be JSON.',
  ),
  GW_PART_INVALID: kind(502, 'upstream', 'never', null, 'The answer of a part cannot be used as JSON.'),
  GW_PART_TOO_LARGE: kind(
    502,
    'upstream',
    'never',
    'http_response_body_size',
    'The answer of a part is larger than allowed.',
  ),
  GW_PART_TOO_MANY: kind(
    502,
    'upstream',
    'never',
    null,
    'A list has more elements than a part of the answer is asked for.',
  ),
  GW_PART_DROPPED: kind(502, 'gateway', 'never', null, 'A part was given up because another one decided.'),
  GW_PARTIAL: kind(200, 'upstream', 'never', null, 'An optional part of the answer is missing.'),
} as const satisfies Record<string, Kind>;

export type GatewayCode = keyof typeof KINDS;

/** An expected failure with its verdict: who was at fault, and whether another try is safe. */
export class GatewayError extends Error {
  readonly code: GatewayCode;
  readonly status: number;
  readonly source: Source;
  readonly retry: Retry;
  readonly proxyStatus: string | null;
  readonly title: string;
  /** For the log and trusted callers only; never in an error body. */
  readonly detail: string;
  /** When to come back, for `Retry-After`; 0 where nobody knows. */
  retryAfterSeconds = 0;

  constructor(code: GatewayCode, detail: string, cause?: unknown) {
    super(detail === '' ? code : `${code}: ${detail}`, cause === undefined ? undefined : { cause });
    const row = KINDS[code];
    this.code = code;
    this.status = row.status;
    this.source = row.source;
    this.retry = row.retry;
    this.proxyStatus = row.proxyStatus;
    this.title = row.title;
    this.detail = detail;
  }
}

/**
 * Makes a GatewayError without a stack trace: these are answers, not bugs, and a trace costs microseconds.
 * @param detail one line for the log, without secrets
 */
export function gatewayError(code: GatewayCode, detail = '', cause?: unknown): GatewayError {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  const error = new GatewayError(code, detail, cause);
  Error.stackTraceLimit = limit;
  return error;
}
