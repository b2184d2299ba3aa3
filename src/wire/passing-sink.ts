/** A sink in front of another one, which hands everything on: whoever stands in a flow changes only what it is there for. */
import type { GatewayError } from '../kernel/errors.ts';
import type { Sink } from './body.ts';
import type { Fields } from './fields.ts';

export class PassingSink implements Sink {
  protected readonly next: Sink;

  constructor(next: Sink) {
    this.next = next;
  }

  get ready(): (() => void) | null {
    return this.next.ready;
  }

  set ready(run: (() => void) | null) {
    this.next.ready = run;
  }

  write(chunk: Uint8Array): boolean {
    return this.next.write(chunk);
  }

  end(trailers: Fields | null): void {
    this.next.end(trailers);
  }

  fail(error: GatewayError): void {
    this.next.fail(error);
  }
}
