/** Refuses a part of the requests while the process cannot keep up: those of low priority first, high ones never. */
import type { Priority, ShedOptions } from '../config/shed.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { PluginLogger } from '../plugin.ts';

export interface ShedderParts {
  readonly clock: Clock;
  readonly log: Pick<PluginLogger, 'warn' | 'info'>;
  /** Used part of the memory, 0 to 1. */
  readonly memoryUsed: () => number;
}

const TICK_MS = 50;
/** Reading the memory takes tens of microseconds. */
const MEMORY_EVERY = 10;
/** How far the level rises with each turn of the loop that is just too late, and at most: one long pause is no overload. */
const RISE = 0.2;
const MOST_RISE = 0.6;
/** How far it falls in a second without. */
const FALL = 0.5;
/** Most of the normal requests that is refused: what is let through shows when it is over. */
const MOST_NORMAL = 0.9;

/** The level: from 0 to 1 that part of the requests of low priority is refused, from 1 to 2 also of the normal ones. */
const TOP = 2;

export class Shedder {
  readonly #parts: ShedderParts;
  readonly #timer: Timer;
  #options: ShedOptions = { delayMs: null, memory: null };
  #lastMs: number;
  #ticks = 0;
  #lateLevel = 0;
  #memoryLevel = 0;
  /** What of a request is still owed to refusal, by priority. */
  readonly #owed = { low: 0, normal: 0 };
  #isShedding = false;

  constructor(parts: ShedderParts) {
    this.#parts = parts;
    this.#lastMs = parts.clock.nowMs();
    this.#timer = parts.clock.every(TICK_MS, () => this.#tick());
  }

  /** Takes other settings into use. */
  use(options: ShedOptions): void {
    this.#options = options;
  }

  /** 0: nobody is refused; 1: all of low priority; 2: nearly all of normal priority as well. */
  get level(): number {
    return Math.max(this.#lateLevel, this.#memoryLevel);
  }

  /** Why requests are refused, or null. */
  get trouble(): string | null {
    if (this.level === 0) return null;
    return this.#memoryLevel > this.#lateLevel
      ? 'the memory is nearly used up: requests of low priority are refused first'
      : 'the event loop is late: requests of low priority are refused first';
  }

  /** Whether this request is one of those to refuse; evenly, so that no client is hit by chance. */
  refuses(priority: Priority): boolean {
    const { level } = this;
    if (level === 0 || priority === 'high') return false;
    const part = priority === 'low' ? Math.min(level, 1) : Math.min(Math.max(level - 1, 0), MOST_NORMAL);
    this.#owed[priority] += part;
    if (this.#owed[priority] < 1) return false;
    this.#owed[priority]--;
    return true;
  }

  close(): void {
    this.#timer.cancel();
  }

  #tick(): void {
    const nowMs = this.#parts.clock.nowMs();
    const elapsedMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    this.#judgeLateness(elapsedMs);
    if (this.#ticks++ % MEMORY_EVERY === 0) this.#judgeMemory();
    this.#tell();
  }

  #judgeLateness(elapsedMs: number): void {
    const { delayMs } = this.#options;
    const overload = delayMs === null ? 0 : (elapsedMs - TICK_MS) / delayMs;
    const change = overload > 1 ? Math.min(overload * RISE, MOST_RISE) : (-FALL * elapsedMs) / 1000;
    this.#lateLevel = Math.min(TOP, Math.max(0, this.#lateLevel + change));
  }

  /** Not by time, since memory that is held does not come free by waiting: the fuller, the more is refused. */
  #judgeMemory(): void {
    const { memory } = this.#options;
    const used = memory === null ? 0 : this.#parts.memoryUsed();
    const isOver = memory !== null && used > memory;
    this.#memoryLevel = isOver ? Math.min(TOP, 1 + (used - memory) / Math.max(1 - memory, 0.01)) : 0;
  }

  /** Once for each change; a level that comes and goes within a second is not worth a line. */
  #tell(): void {
    const { log } = this.#parts;
    const { level, trouble } = this;
    if (!this.#isShedding && level >= 0.5) {
      this.#isShedding = true;
      log.warn('requests are refused to keep up', { cause: trouble });
    } else if (this.#isShedding && level === 0) {
      this.#isShedding = false;
      log.info('no requests are refused any more');
    }
  }
}
