/** The header fields by which clients learn of a limit (draft-ietf-httpapi-ratelimit-headers-11, May 2026). */
import type { Fields } from 'snowgate/plugin';
import type { Decision, Window } from './windows.ts';

const WINDOW_SECONDS: Readonly<Record<Window['kind'], number | null>> = {
  bucket: null,
  hour: 3600,
  day: 86_400,
  // Months differ, and the parameter may be left out.
  month: null,
};

const secondsOf = (us: number): number => Math.max(1, Math.ceil(us / 1_000_000));

/** How a window is called: the instance, and with others beside it also what it allows. */
const nameOf = (instance: string, window: Window, isAlone: boolean): string =>
  isAlone ? instance : `${instance} ${window.text}`;

/** The names and policies of the windows of one limit, made once. */
export class LimitFields {
  readonly #names: readonly string[];
  readonly #cost: number;
  /** `RateLimit-Policy`: how many in how many seconds. */
  readonly policy: string;

  /** @param cost tokens of one request */
  constructor(instance: string, windows: readonly Window[], cost: number) {
    this.#cost = cost;
    this.#names = windows.map((window) => `"${nameOf(instance, window, windows.length === 1)}"`);
    this.policy = windows
      .map((window, at) => {
        const seconds = window.kind === 'bucket' ? secondsOf(window.roomUs) : WINDOW_SECONDS[window.kind];
        return `${this.#names[at]};q=${window.limit}${seconds === null ? '' : `;w=${seconds}`}`;
      })
      .join(', ');
  }

  /**
   * `RateLimit`: what the tightest window still gives (`r`), and for how many seconds that must do (`t`): until it is
   * full or begins anew, or where it is too little for a request, until one passes again.
   * @param windows those that decided: while Redis is gone this gateway's part, which fills more slowly
   */
  state(decision: Decision, windows: readonly Window[]): string {
    const seconds = secondsOf(this.#effectiveUs(decision, windows[decision.tightest]!));
    return `${this.#names[decision.tightest]};r=${decision.remaining};t=${seconds}`;
  }

  #effectiveUs({ granted, waitUs, resetUs, remaining }: Decision, window: Window): number {
    if (granted === 0) return waitUs;
    if (window.kind !== 'bucket' || remaining >= this.#cost) return resetUs;
    return resetUs + this.#cost * window.stepUs - window.roomUs;
  }
}

/** Whole seconds after which the same request passes, if nobody else comes in between. */
export function retryAfter(waitUs: number): string {
  return String(secondsOf(waitUs));
}

/** Adds to a list field what other limits, or the upstream, have not said. */
export function append(fields: Fields, name: string, value: string): void {
  const old = fields[name];
  fields[name] = old === undefined ? value : `${typeof old === 'string' ? old : old.join(', ')}, ${value}`;
}
