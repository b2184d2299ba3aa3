/** A health check by connecting: that somebody listens, and that TLS works where it is spoken. */
import type { Socket } from 'node:net';
import type { Timer } from '../kernel/clock.ts';
import type { GatewayError } from '../kernel/errors.ts';
import { type Connector, createConnector, type Opening } from './connector.ts';
import type { Probe, ProbeDone, ProbeParts } from './probe.ts';

export class TcpProbe implements Probe, Opening {
  readonly #parts: ProbeParts;
  readonly #connector: Connector;
  #socket: Socket | null = null;
  #timer: Timer | null = null;
  #done: ProbeDone | null = null;

  constructor(parts: ProbeParts) {
    this.#parts = parts;
    this.#connector = createConnector(parts.spec, parts.tls);
  }

  ask(done: ProbeDone): void {
    const { clock, options } = this.#parts;
    this.#done = done;
    this.#timer = clock.after(options.timeoutMs, () =>
      this.#tell(`no connection in ${options.timeoutMs} ms`),
    );
    this.#socket = this.#connector.open(this);
  }

  close(): void {
    this.#done = null;
    this.#tell(null);
  }

  opened(): void {
    this.#tell(null);
  }

  openFailed(error: GatewayError): void {
    this.#tell(error.message);
  }

  #tell(problem: string | null): void {
    const done = this.#done;
    this.#done = null;
    this.#timer?.cancel();
    this.#socket?.destroy();
    this.#socket = null;
    done?.(problem);
  }
}
