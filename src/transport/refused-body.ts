/** The body of an ordinary answer to an upgrade request. */
import type { IncomingMessage } from 'node:http';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Body, Sink } from '../wire/body.ts';
import { responseTrailers } from './response-fields.ts';

/** Who is told about the flow. */
export interface RefusalWatcher {
  moved(): void;
  /** Over, whole or not. Once. */
  refusalOver(): void;
}

export class RefusedBody implements Body {
  readonly length: number | null;
  private readonly message: IncomingMessage;
  private readonly watcher: RefusalWatcher;
  private sink: Sink | null = null;
  private failure: GatewayError | null = null;
  private over = false;

  constructor(message: IncomingMessage, watcher: RefusalWatcher) {
    const size = message.headers['content-length'];
    this.length = size === undefined ? null : Number(size);
    this.message = message;
    this.watcher = watcher;
    message.on('error', (error) => this.break(gatewayError('GW_UPSTREAM_CUT', error.message, error)));
    message.on('close', () =>
      this.break(gatewayError('GW_UPSTREAM_CUT', 'the answer to the upgrade broke off')),
    );
  }

  read(into: Sink): void {
    if (this.failure !== null) {
      into.fail(this.failure);
      return;
    }
    this.sink = into;
    const { message } = this;
    const resume = () => message.resume();
    message.on('data', (chunk: Buffer) => {
      if (this.over) return;
      this.watcher.moved();
      if (into.write(chunk)) return;
      message.pause();
      into.ready ??= resume;
    });
    message.on('end', () => {
      if (!message.complete || this.over) return;
      this.finish();
      into.end(responseTrailers(message.rawTrailers));
    });
  }

  cancel(): void {
    this.finish();
    this.message.destroy();
  }

  /** True while the reader holds the flow back. */
  get held(): boolean {
    return this.sink === null || this.message.isPaused();
  }

  /** Ends it with an error, unless it is over. */
  break(error: GatewayError): void {
    if (this.over) return;
    this.failure = error;
    this.finish();
    this.message.destroy();
    this.sink?.fail(error);
  }

  private finish(): void {
    if (this.over) return;
    this.over = true;
    this.watcher.refusalOver();
  }
}
