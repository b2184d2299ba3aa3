/** The same time for every question to be answered, kept by one timer for all of them. */
import type { Clock, Timer } from '../kernel/clock.ts';

export interface Question {
  readonly settled: boolean;
  /** No answer came in time. */
  late(): void;
}

/** The questions of one turn of the event loop, which are sent together. */
interface Batch {
  readonly questions: Question[];
  /** Monotonic; Infinity until they are sent. */
  dueMs: number;
}

export class Budget {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** In the order in which they are due. */
  readonly #batches: Batch[] = [];
  #open: Batch | null = null;
  #timer: Timer | null = null;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** The time begins when this turn of the event loop ends, and what was asked in it is sent. */
  start(question: Question): void {
    if (this.#open === null) {
      this.#open = { questions: [], dueMs: Number.POSITIVE_INFINITY };
      this.#batches.push(this.#open);
      setImmediate(() => this.#sent());
    }
    this.#open.questions.push(question);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #sent(): void {
    this.#open!.dueMs = this.#clock.nowMs() + this.#timeoutMs;
    this.#open = null;
    if (this.#timer === null) this.#arm();
  }

  #arm(): void {
    const first = this.#batches[0];
    if (first === undefined || first === this.#open) return;
    const delayMs = Math.max(1, first.dueMs - this.#clock.nowMs());
    this.#timer = this.#clock.after(delayMs, () => this.#expire());
  }

  #expire(): void {
    this.#timer = null;
    const nowMs = this.#clock.nowMs();
    const late: Question[] = [];
    while (this.#batches.length > 0 && this.#batches[0]!.dueMs <= nowMs)
      for (const question of this.#batches.shift()!.questions) if (!question.settled) late.push(question);
    // After a stall of our own the answers may already lie in the socket: they are read before this runs.
    if (late.length > 0) setImmediate(() => tell(late));
    this.#arm();
  }
}

const tell = (late: readonly Question[]): void => {
  for (const question of late) if (!question.settled) question.late();
};
