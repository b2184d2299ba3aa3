/** A client that writes raw bytes to a socket and reads what comes back, to the letter. */
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly fields: Record<string, string>;
  readonly body: string;
  /** Whether the body ended as its framing says. */
  readonly whole: boolean;
}

export class RawClient {
  readonly socket: Socket;
  text = '';
  /** The server has closed its side or the connection. */
  ended = false;
  error: Error | null = null;
  #wakers: (() => void)[] = [];

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.setNoDelay(true);
    this.socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1');
      this.#wake();
    });
    this.socket.on('end', () => this.#end());
    this.socket.on('close', () => this.#end());
    this.socket.on('error', (error) => {
      this.error = error;
      this.#end();
    });
  }

  send(text: string): this {
    if (this.socket.writable) this.socket.write(Buffer.from(text, 'latin1'));
    return this;
  }

  /** Waits for a condition, looked at after everything that happens on the socket. */
  async until(met: () => boolean, withinMs = 5000): Promise<boolean> {
    const over = Date.now() + withinMs;
    while (!met()) {
      const leftMs = over - Date.now();
      if (leftMs <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wakers.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return true;
  }

  /** The next whole answer (1xx left out unless asked for), or what there is when the connection ends. */
  async answer(method = 'GET', interim = false): Promise<RawAnswer> {
    let parsed = this.#parse(method);
    await this.until(() => {
      parsed = this.#parse(method);
      while (parsed !== null && parsed.answer.status < 200 && !interim && parsed.answer.status !== 101) {
        this.text = this.text.slice(parsed.bytes);
        parsed = this.#parse(method);
      }
      return parsed?.answer.whole === true || this.ended;
    });
    if (parsed === null) return { status: 0, fields: {}, body: '', whole: false };
    this.text = this.text.slice(parsed.bytes);
    return parsed.answer;
  }

  /** Whether the server closes within the time. */
  closes(withinMs = 3000): Promise<boolean> {
    return this.until(() => this.ended, withinMs);
  }

  destroy(): void {
    this.socket.destroy();
  }

  #end(): void {
    this.ended = true;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#wakers.splice(0)) wake();
  }

  #parse(method: string): { answer: RawAnswer; bytes: number } | null {
    const split = this.text.indexOf('\r\n\r\n');
    if (split === -1) return null;
    const [line, ...lines] = this.text.slice(0, split).split('\r\n');
    const fields: Record<string, string> = Object.create(null);
    for (const field of lines) {
      const colon = field.indexOf(':');
      const name = field.slice(0, colon).toLowerCase();
      const value = field.slice(colon + 1).trim();
      fields[name] = fields[name] === undefined ? value : `${fields[name]}, ${value}`;
    }
    const status = Number(line!.split(' ')[1]);
    const from = split + 4;
    const rest = this.text.slice(from);
    const made = (body: string, whole: boolean, bytes: number) => ({
      answer: { status, fields, body, whole },
      bytes: from + bytes,
    });
    if (status < 200 || status === 204 || status === 304 || method === 'HEAD') return made('', true, 0);
    const length = fields['content-length'];
    if (length !== undefined) {
      const body = rest.slice(0, Number(length));
      return made(body, body.length === Number(length), body.length);
    }
    if (fields['transfer-encoding'] === 'chunked') return dechunk(rest, made);
    return made(rest, this.ended && this.error === null, rest.length);
  }
}

function dechunk<T>(text: string, made: (body: string, whole: boolean, bytes: number) => T): T {
  let body = '';
  let at = 0;
  for (;;) {
    const line = text.indexOf('\r\n', at);
    if (line === -1) return made(body, false, text.length);
    const size = Number.parseInt(text.slice(at, line), 16);
    at = line + 2;
    if (size === 0) {
      const over = text.indexOf('\r\n\r\n', at - 2);
      if (over === -1) return made(body, false, text.length);
      return made(body, true, over + 4);
    }
    if (text.length < at + size + 2) return made(body + text.slice(at), false, text.length);
    body += text.slice(at, at + size);
    at += size + 2;
  }
}
