/** The client's end of a tunnel as http-proxy-3 sees it: a socket whose first write is the response head. */
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Who is told what happens at this end. */
export interface TunnelWatcher {
  /** The head of the 101, as text. */
  accepted(head: string): void;
  /** A chunk went through, either way. */
  moved(): void;
  /** The client's connection is closed; in order if it had ended before, or was ended by us. */
  clientClosed(inOrder: boolean): void;
}

/** Until `join`, what the upstream sends after its head waits here: one chunk, then back-pressure. */
export class TunnelEnd extends Duplex {
  readonly watcher: TunnelWatcher;
  private headed = false;
  private client: Duplex | null = null;
  private held: Buffer | null = null;
  private taken: (() => void) | null = null;
  private clientEnded = false;
  private upstreamEnded = false;

  constructor(watcher: TunnelWatcher) {
    super();
    this.watcher = watcher;
  }

  /** Lets bytes flow to and from the client until either is closed. */
  join(client: Duplex): void {
    this.client = client;
    client.on('data', (chunk: Buffer) => {
      this.watcher.moved();
      if (!this.push(chunk)) client.pause();
    });
    client.on('end', () => {
      this.clientEnded = true;
      this.push(null);
    });
    client.on('drain', () => this.takeMore());
    client.on('error', () => {
      // Told by `close`, which always follows.
      this.clientEnded = false;
    });
    client.on('close', () => this.watcher.clientClosed(this.clientEnded || this.upstreamEnded));
    const held = this.held;
    this.held = null;
    if (held === null || client.write(held)) this.takeMore();
    if (this.upstreamEnded) client.end();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (!this.headed) {
      this.headed = true;
      this.watcher.accepted(chunk.toString());
      done();
      return;
    }
    this.watcher.moved();
    if (this.client === null) {
      this.held = chunk;
      this.taken = done;
    } else if (this.client.write(chunk)) {
      done();
    } else {
      this.taken = done;
    }
  }

  override _final(done: () => void): void {
    this.upstreamEnded = true;
    this.client?.end();
    done();
  }

  override _read(): void {
    this.client?.resume();
  }

  destroySoon(): void {
    if (!this.writableEnded) this.end();
    else this.destroy();
  }

  private takeMore(): void {
    const taken = this.taken;
    this.taken = null;
    taken?.();
  }
}

// http-proxy-3 sets options as on a socket. They are set on the real ones, by their owners; here they do nothing.
for (const option of Object.getOwnPropertyNames(Socket.prototype)) {
  if (!option.startsWith('set') || option in TunnelEnd.prototype) continue;
  Object.defineProperty(TunnelEnd.prototype, option, {
    value(this: TunnelEnd) {
      return this;
    },
  });
}
