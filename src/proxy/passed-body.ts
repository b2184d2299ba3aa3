/** A body that goes through unchanged: a reader's sink and a source's body in one, for those who watch it pass. */
import type { GatewayError } from '../kernel/errors.ts';
import type { Body, Sink } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';

export abstract class PassedBody implements Body, Sink {
  /** Where it comes from; null until there is one. */
  protected response: Body | null = null;
  /** Where it goes to; null until somebody reads. */
  protected into: Sink | null = null;

  get length(): number | null {
    return this.response === null ? null : this.response.length;
  }

  read(into: Sink): void {
    if (this.response === null) return;
    this.into = into;
    this.response.read(this);
  }

  abstract cancel(why: GatewayError): void;

  get ready(): (() => void) | null {
    return this.into === null ? null : this.into.ready;
  }

  set ready(run: (() => void) | null) {
    if (this.into !== null) this.into.ready = run;
  }

  write(chunk: Uint8Array): boolean {
    return this.into!.write(chunk);
  }

  end(trailers: Fields | null): void {
    this.into!.end(trailers);
  }

  abstract fail(error: GatewayError): void;
}
