/** The same time for every question to be answered, kept by one timer for all of them. */
import type { Clock, Timer } from '../kernel/clock.ts';

/** Asked once; embed it in whoever waits for the answer. */
export interface Question {
  settled: boolean;
  /** Monotonic; set when it is asked. */
  dueMs: number;
  /** No answer came in time. */
  late(): void;
}

/** A timer that rings later than this was held up by a stall of our own. */
const STALL_MS = 5;
/** So many answered questions are forgotten at once. */
const FORGET = 256;

export class Budget {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** In the order in which they are due, from `#first` on. */
  #asked: Question[] = [];
  #first = 0;
  #timer: Timer | null = null;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Questions that are remembered, answered ones among them. */
  get size(): number {
    return this.#asked.length - this.#first;
  }

  start(question: Question): void {
    question.dueMs = this.#clock.nowMs() + this.#timeoutMs;
    this.#asked.push(question);
    if (this.#timer === null) this.#arm(this.#timeoutMs);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => this.#expire());
  }

  #expire(): void {
    this.#timer = null;
    const nowMs = this.#clock.nowMs();
    const late: Question[] = [];
    let heldMs = 0;
    for (; this.#first < this.#asked.length; this.#first++) {
      const question = this.#asked[this.#first]!;
      if (!question.settled && question.dueMs > nowMs) break;
      if (question.settled) continue;
      late.push(question);
      heldMs = Math.max(heldMs, nowMs - question.dueMs);
    }
    this.#forget();
    if (this.#first < this.#asked.length) this.#arm(Math.max(1, this.#asked[this.#first]!.dueMs - nowMs));
    if (late.length > 0) this.#tell(late, heldMs);
  }

  /** What was answered meanwhile lies in the socket, and is read before the others hear that they are late. */
  #tell(late: readonly Question[], heldMs: number): void {
    const tell = () => {
      for (const question of late) if (!question.settled) question.late();
    };
    // After a stall the question itself may just have been sent.
    if (heldMs > STALL_MS) this.#clock.after(STALL_MS, tell);
    else setImmediate(tell);
  }

  #forget(): void {
    if (this.#first < this.#asked.length && this.#first < FORGET) return;
    this.#asked = this.#asked.slice(this.#first);
    this.#first = 0;
  }
}
