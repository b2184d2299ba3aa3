/** A health check by gRPC: grpc.health.v1.Health/Check over HTTP/2. */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Timer } from '../kernel/clock.ts';
import type { GatewayError } from '../kernel/errors.ts';
import { endpointName } from '../wire/endpoint.ts';
import { type Connector, createConnector, type Opening } from './connector.ts';
import { healthProblem, healthRequest } from './grpc-health.ts';
import type { Probe, ProbeDone, ProbeParts } from './probe.ts';

/** An honest answer has seven bytes. */
const MAX_ANSWER_BYTES = 4096;

export class GrpcProbe implements Probe {
  readonly #parts: ProbeParts;
  readonly #connector: Connector;
  #asking: Asking | null = null;

  constructor(parts: ProbeParts) {
    this.#parts = parts;
    this.#connector = createConnector(parts.spec, parts.tls, ['h2']);
  }

  ask(done: ProbeDone): void {
    this.#asking = new Asking(this.#parts, this.#connector, done);
  }

  close(): void {
    this.#asking?.stop();
  }
}

/** One question: events of a session that is ending must not be taken for the next one's. */
class Asking implements Opening {
  readonly #parts: ProbeParts;
  readonly #socket: Socket;
  readonly #timer: Timer;
  #session: ClientHttp2Session | null = null;
  #done: ProbeDone | null;

  constructor(parts: ProbeParts, connector: Connector, done: ProbeDone) {
    const { clock, options } = parts;
    this.#parts = parts;
    this.#done = done;
    this.#timer = clock.after(options.timeoutMs, () => this.#tell(`no answer in ${options.timeoutMs} ms`));
    this.#socket = connector.open(this);
  }

  stop(): void {
    this.#done = null;
    this.#tell(null);
  }

  opened(): void {
    const { spec, options } = this.#parts;
    const session = connect(`${spec.scheme}://${endpointName(spec)}`, {
      createConnection: () => this.#socket,
    });
    this.#session = session;
    session.on('error', (error) => this.#tell(error.message));
    session.on('close', () => this.#tell('the connection was closed'));
    const stream = session.request({
      ...options.headers,
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      ':authority': options.host ?? endpointName(spec),
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'snowgate-health-check',
    });
    this.#read(stream);
    stream.end(healthRequest(options.service));
  }

  openFailed(error: GatewayError): void {
    this.#tell(error.message);
  }

  #read(stream: ClientHttp2Stream): void {
    let answer = Buffer.alloc(0);
    let status: string | undefined;
    const noteStatus = (fields: IncomingHttpHeaders) => {
      status ??= fields['grpc-status']?.toString();
    };
    // Where there is no answer the status comes with the head already.
    stream.on('response', (fields) => {
      if (fields[':status'] !== 200) this.#tell(`status ${fields[':status']}`);
      noteStatus(fields);
    });
    stream.on('trailers', noteStatus);
    stream.on('data', (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length > MAX_ANSWER_BYTES) this.#tell('the answer is too long');
    });
    stream.on('error', (error) => this.#tell(error.message));
    stream.on('close', () => this.#tell(healthProblem(status, answer)));
  }

  #tell(problem: string | null): void {
    const done = this.#done;
    this.#done = null;
    this.#timer.cancel();
    this.#session?.destroy();
    this.#socket.destroy();
    done?.(problem);
  }
}
