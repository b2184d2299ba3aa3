/** Requests under way by key: so many at once, some more in line, and each lets the next in when it ends. */
import type { Clock } from 'snowgate/plugin';

/** One request's place; `leave` ends it wherever it stands. */
export class Ticket {
  readonly key: string;
  limit: number;
  phase: 'new' | 'waiting' | 'in' | 'out' = 'new';
  /** Tells a request in line whether it is in now. */
  settle: ((isIn: boolean) => void) | null = null;
  /** Its name in Redis, or ''. */
  member = '';
  /** Counted here although it should be in Redis. */
  isPart = false;

  constructor(key: string, limit: number) {
    this.key = key;
    this.limit = limit;
  }
}

export interface Line {
  /** Requests in line for one key, at most. */
  readonly most: number;
  readonly timeoutMs: number;
}

interface Room {
  count: number;
  readonly waiting: Ticket[];
}

/** A key is known only while a request of it is there, so its number is bounded by that of the requests. */
export class Places {
  readonly #rooms = new Map<string, Room>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Requests under way and in line. */
  get size(): number {
    let size = 0;
    for (const { count, waiting } of this.#rooms.values()) size += count + waiting.length;
    return size;
  }

  /** Takes a place at once, or in line; false when there is none, or none came free in time. */
  enter(ticket: Ticket, line: Line): boolean | Promise<boolean> {
    const room = this.#roomOf(ticket.key);
    if (room.count < ticket.limit && room.waiting.length === 0) return this.#let(ticket, room);
    if (room.waiting.length >= line.most) return false;
    return new Promise((resolve) => {
      const timer = this.#clock.after(line.timeoutMs, () => this.leave(ticket));
      ticket.phase = 'waiting';
      ticket.settle = (isIn) => {
        timer.cancel();
        resolve(isIn);
      };
      room.waiting.push(ticket);
    });
  }

  /** Counts a request that was let in elsewhere. */
  count(ticket: Ticket): void {
    this.#let(ticket, this.#roomOf(ticket.key));
  }

  /** Gives the place back, or leaves the line. Idempotent. */
  leave(ticket: Ticket): void {
    const { phase } = ticket;
    ticket.phase = 'out';
    if (phase === 'new' || phase === 'out') return;
    const room = this.#rooms.get(ticket.key)!;
    if (phase === 'in') room.count--;
    else {
      room.waiting.splice(room.waiting.indexOf(ticket), 1);
      ticket.settle!(false);
    }
    for (let next = room.waiting[0]; next !== undefined && room.count < next.limit; next = room.waiting[0]) {
      room.waiting.shift();
      this.#let(next, room);
      next.settle!(true);
    }
    if (room.count === 0 && room.waiting.length === 0) this.#rooms.delete(ticket.key);
  }

  #let(ticket: Ticket, room: Room): true {
    room.count++;
    ticket.phase = 'in';
    return true;
  }

  #roomOf(key: string): Room {
    let room = this.#rooms.get(key);
    if (room === undefined) {
      room = { count: 0, waiting: [] };
      this.#rooms.set(key, room);
    }
    return room;
  }
}
