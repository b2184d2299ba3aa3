/** A health check by HTTP: a GET whose status tells. */
import type { StatusRange } from '../config/resilience-options.ts';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Body } from '../wire/body.ts';
import { endpointName } from '../wire/endpoint.ts';
import { createFields } from '../wire/fields.ts';
import type { RequestHead, ResponseHead } from '../wire/heads.ts';
import type { Flight, Receiver } from '../wire/transport.ts';
import { createConnector } from './connector.ts';
import { EndpointPool } from './pool.ts';
import type { Probe, ProbeDone, ProbeParts } from './probe.ts';

/** A connection is not kept for the next check. */
const KEEP_ALIVE_MS = 1;
const MAX_HEADER_BYTES = 16_384;
const ENOUGH = gatewayError('GW_STOPPING', 'the status of a health check is all that is asked for');

export class HttpProbe implements Probe, Receiver {
  readonly #parts: ProbeParts;
  readonly #pool: EndpointPool;
  readonly #head: RequestHead;
  #flight: Flight | null = null;
  #done: ProbeDone | null = null;

  constructor(parts: ProbeParts) {
    const { spec, options, tls, clock, wheel } = parts;
    this.#parts = parts;
    const keep = { keepAliveMs: KEEP_ALIVE_MS, maxHeaderBytes: MAX_HEADER_BYTES };
    this.#pool = new EndpointPool({ spec, clock, wheel, tls, ...keep }, createConnector(spec, tls));
    const mark = options.path.indexOf('?');
    this.#head = {
      method: 'GET',
      scheme: spec.scheme,
      authority: options.host ?? endpointName(spec),
      path: mark < 0 ? options.path : options.path.slice(0, mark),
      query: mark < 0 ? '' : options.path.slice(mark),
      fields: Object.assign(createFields(), { 'user-agent': 'snowgate-health-check' }, options.headers),
    };
  }

  ask(done: ProbeDone): void {
    const { clock, options } = this.#parts;
    const { timeoutMs } = options;
    this.#done = done;
    this.#flight = this.#pool.send(
      {
        head: this.#head,
        body: null,
        deadlineMs: clock.nowMs() + timeoutMs,
        timeouts: { connectMs: timeoutMs, firstByteMs: timeoutMs, idleMs: timeoutMs },
        hash: 0,
        observer: null,
      },
      this,
    );
  }

  close(): void {
    this.#done = null;
    this.#flight?.cancel(ENOUGH);
    void this.#pool.close(0);
  }

  inform(): void {
    // What comes before the answer says nothing of health.
  }

  head({ status }: ResponseHead, body: Body): void {
    body.cancel(ENOUGH);
    const fits = ([first, last]: StatusRange) => status >= first && status <= last;
    this.#tell(this.#parts.options.expect.some(fits) ? null : `status ${status}`);
  }

  fail(error: GatewayError): void {
    this.#tell(error.message);
  }

  #tell(problem: string | null): void {
    const done = this.#done;
    this.#done = null;
    this.#flight = null;
    done?.(problem);
  }
}
