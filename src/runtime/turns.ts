/** One piece of work at a time; those who ask while it is under way share the next one. */
export class Turns {
  readonly #work: () => Promise<void>;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Does the work after what runs now; rejects as the work does. */
  ask(): Promise<void> {
    this.#next ??= this.settled().then(() => {
      this.#next = null;
      this.#running = this.#work();
      return this.#running;
    });
    return this.#next;
  }

  /** When what runs now is over, however it ends. */
  settled(): Promise<void> {
    return this.#running.catch(() => undefined);
  }
}
