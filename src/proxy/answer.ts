/** The one place where an answer leaves for the client, whoever made it. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { Alarm, type Wheel } from '../kernel/wheel.ts';
import { replayBody } from '../pipeline/bodies.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { Reply } from '../plugin.ts';
import type { Body, Sink, Stage } from '../wire/body.ts';
import { createFields, type Fields } from '../wire/fields.ts';
import { addAnswerFields } from './answer-fields.ts';
import { dropHopByHop } from './hop-by-hop.ts';
import { errorReply, problemDocument } from './problem.ts';
import { guardedStages, stageError } from './stages.ts';

export interface AnswerOptions {
  /** Our name in Via. */
  readonly viaName: string;
  /** From the start of the request to the last byte of its answer; null for no limit. */
  readonly maxDurationMs: number | null;
  /** Where that limit hangs. */
  readonly wheel: Wheel;
}

/** Told once when an answer is over: its last byte given to the client's side, or cut. */
export interface AnswerOwner {
  answered(): void;
}

/** An answer under way: the last sink before the client, which keeps the books when the body ends badly. */
export class Answering implements Sink {
  owner: AnswerOwner | null;
  readonly #x: LiveExchange;
  readonly #body: Body;
  readonly #reply: Reply;
  readonly #options: AnswerOptions;
  #next: Sink | null;
  /** Where the body flows in: this, or the first stage before it. */
  #top: Sink;
  #alarm: Alarm | null;
  #over: boolean;

  constructor(x: LiveExchange, reply: Reply, body: Body, options: AnswerOptions) {
    this.owner = null;
    this.#x = x;
    this.#reply = reply;
    this.#body = body;
    this.#options = options;
    this.#next = null;
    this.#top = this;
    this.#alarm = null;
    this.#over = false;
  }

  get ready(): (() => void) | null {
    return this.#next === null ? null : this.#next.ready;
  }

  set ready(run: (() => void) | null) {
    if (this.#next !== null) this.#next.ready = run;
  }

  /** Puts the stages before the client, the first one nearest to the source. A stage's own throw comes through. */
  through(stages: readonly Stage[]): void {
    this.#top = guardedStages(stages, this, this);
  }

  /** Sends the head and lets the body flow. */
  start(): void {
    // Where no body follows, the head's own word is all there is of a length.
    const known = this.#top === this && !bodiless(this.#x, this.#reply.status);
    this.#next = this.#x.down.reply(this.#reply, known ? this.#body.length : null);
    const { maxDurationMs, wheel } = this.#options;
    if (maxDurationMs !== null) {
      this.#alarm = new Alarm(() => this.cut(gatewayError('GW_TIMEOUT', `longer than ${maxDurationMs} ms`)));
      wheel.arm(this.#alarm, Math.max(1, this.#x.startMs + maxDurationMs - this.#x.clock.nowMs()));
    }
    this.#body.read(this.#top);
  }

  write(chunk: Uint8Array): boolean {
    return this.#over ? false : this.#next!.write(chunk);
  }

  end(trailers: Fields | null): void {
    if (!this.#finish()) return;
    this.#next!.end(trailers);
    this.owner?.answered();
  }

  fail(error: GatewayError): void {
    if (!this.#finish()) return;
    this.#x.fail(error);
    // A stage may fail while its source still flows.
    this.#body.cancel(error);
    this.#next?.fail(error);
    this.owner?.answered();
  }

  /** The client has gone: nothing is written any more, but what feeds the answer is let go. */
  leave(error: GatewayError): void {
    if (!this.#finish()) return;
    this.#x.fail(error);
    this.#body.cancel(error);
    if (this.#top !== this) this.#top.fail(error);
    this.owner?.answered();
  }

  /** Ends it uncleanly from outside: the time is over, or a stage threw. */
  cut(error: GatewayError): void {
    if (this.#over) return;
    this.#x.fail(error);
    this.#body.cancel(error);
    // Stages hear of it first, so that they can free what they hold.
    if (this.#top !== this) this.#top.fail(error);
    this.fail(error);
  }

  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    if (this.#alarm !== null) this.#options.wheel.disarm(this.#alarm);
    return true;
  }
}

/** What carries no body whatever its head says (RFC 9110 section 6.4.1). */
const bodiless = (x: LiveExchange, status: number) =>
  x.received.method === 'HEAD' || status === 204 || status === 304;

const isBytes = (body: Reply['body']): body is Uint8Array => body instanceof Uint8Array;

/**
 * Plugins may keep a reply and give it again: what is added for this exchange must not stay in it.
 * They may also write names as they like.
 */
export function ownReply(reply: Reply): Reply {
  const fields = createFields();
  for (const name in reply.fields) fields[name.toLowerCase()] = reply.fields[name]!;
  dropHopByHop(fields);
  return { status: reply.status, fields, body: reply.body, by: reply.by, error: reply.error };
}

const writeBytes = (x: LiveExchange, reply: Reply, bytes: Uint8Array | null) => {
  const lengthBytes = bytes === null ? 0 : bytes.byteLength;
  if (bodiless(x, reply.status)) {
    if (bytes !== null && reply.status !== 304) reply.fields['content-length'] = String(lengthBytes);
    x.down.reply(reply, null).end(null);
    return;
  }
  delete reply.fields['content-length'];
  const sink = x.down.reply(reply, lengthBytes);
  if (bytes !== null && lengthBytes > 0) sink.write(bytes);
  sink.end(null);
};

/** Stages and codings that hooks chose were meant for another body than this one. */
const writeProblem = (x: LiveExchange, reply: Reply, error: GatewayError) => {
  reply.fields['content-type'] = 'application/problem+json';
  delete reply.fields['content-encoding'];
  writeBytes(x, reply, problemDocument(error, reply.status, x.id));
};

/**
 * Makes the head final and answers. Null when all is written (or nobody is left to read it); otherwise the body
 * is a flow, and the caller starts it by `start()`.
 */
export function beginAnswer(x: LiveExchange, given: Reply, o: AnswerOptions): Answering | null {
  if (x.left) {
    if (given.body !== null && !isBytes(given.body)) given.body.cancel(gatewayError('GW_CLIENT_LEFT'));
    return null;
  }
  const reply = given.by === 'plugin' ? ownReply(given) : given;
  x.status = reply.status;
  if (reply.error !== null) x.fail(reply.error);
  addAnswerFields(x, reply, o.viaName);
  if (reply.error !== null && reply.body === null) {
    writeProblem(x, reply, reply.error);
    return null;
  }
  const stages = x.responseStages;
  if (stages !== null) delete reply.fields['content-length'];
  const empty = bodiless(x, reply.status);
  const plain = stages === null || empty;
  if (empty && reply.by !== 'upstream' && reply.body !== null && !isBytes(reply.body)) {
    reply.body.cancel(gatewayError('GW_PLUGIN', 'a body where there can be none'));
    reply.body = null;
  }
  if (reply.body === null || (plain && isBytes(reply.body))) {
    writeBytes(x, reply, reply.body);
    return null;
  }
  const body = isBytes(reply.body) ? replayBody(reply.body) : reply.body;
  const answering = new Answering(x, reply, body, o);
  if (!plain) {
    try {
      answering.through(stages);
    } catch (cause) {
      const failure = stageError(cause);
      body.cancel(failure);
      return beginAnswer(x, errorReply(failure), o);
    }
  }
  return answering;
}

/**
 * Writes the final answer of an exchange, whoever made it: the fields that every answer has, a problem document
 * for a failure without a body of its own, the response stages. Once per exchange, instead of `forward`.
 * A body that fails in the middle ends the answer uncleanly and is kept in `x.error`.
 * Where the body flows, it takes over `down.left`.
 */
export function answer(x: LiveExchange, reply: Reply, options: AnswerOptions): void {
  const answering = beginAnswer(x, reply, options);
  if (answering === null) return;
  const left = () => {
    x.left = true;
    x.abort();
    answering.leave(gatewayError('GW_CLIENT_LEFT'));
  };
  x.down.left = left;
  answering.start();
}
