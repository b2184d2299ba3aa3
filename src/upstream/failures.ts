/** What counts as a failure of an upstream or an endpoint: its connections, its silence and its own 5xx. */
import type { BreakerCause } from '../config/resilience-options.ts';
import type { GatewayCode, GatewayError } from '../kernel/errors.ts';

const CODES: Readonly<Record<'connect' | 'reset' | 'timeout', readonly GatewayCode[]>> = {
  connect: ['GW_DNS', 'GW_CONNECT_REFUSED', 'GW_CONNECT_TIMEOUT', 'GW_TLS', 'GW_TLS_CERTIFICATE'],
  reset: [
    'GW_UPSTREAM_STALE',
    'GW_UPSTREAM_RESET',
    'GW_UPSTREAM_PROTOCOL',
    'GW_UPSTREAM_HEADERS',
    'GW_UPSTREAM_CUT',
    'GW_UPGRADE_FAILED',
  ],
  timeout: ['GW_UPSTREAM_TIMEOUT', 'GW_UPSTREAM_IDLE', 'GW_TIMEOUT'],
};

export const ALL_FAILURES: readonly BreakerCause[] = ['connect', 'reset', 'timeout', '5xx'];

/** Says of an error or a status whether it is counted; 4xx and the gateway's own failures never are. */
export class FailureRule {
  readonly #codes = new Set<GatewayCode>();
  readonly #statuses = new Set<number>();
  readonly #all5xx: boolean;

  constructor(on: readonly BreakerCause[]) {
    this.#all5xx = on.includes('5xx');
    for (const cause of on) {
      if (typeof cause === 'number') this.#statuses.add(cause);
      else if (cause !== '5xx') for (const code of CODES[cause]) this.#codes.add(code);
    }
  }

  counts(error: GatewayError): boolean {
    return this.#codes.has(error.code);
  }

  countsStatus(status: number): boolean {
    return status >= 500 && (this.#all5xx || this.#statuses.has(status));
  }

  /** Whether an endpoint that lets callers wait until they leave has failed. */
  get countsTimeouts(): boolean {
    return this.#codes.has('GW_UPSTREAM_TIMEOUT');
  }
}
