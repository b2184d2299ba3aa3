/** Follows one path of Consul by blocking queries (developer.hashicorp.com/consul/api-docs/features/blocking). */
import type { z } from 'zod';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { createBackoff, pause } from './backoff.ts';
import { type ApiAnswer, readJson } from './http-api.ts';

export interface BlockingQuery<T> {
  readonly path: string;
  readonly params: readonly (readonly [string, string])[];
  readonly shape: z.ZodType<T>;
  /** How long Consul may hold an answer back until something changes; at most 10 minutes. */
  readonly waitMs: number;
  /** How old the word of a server that doesn't lead may be; 0: only the leader is asked. */
  readonly staleMs: number;
}

export interface ConsulFollower<T> {
  /**
   * Each good answer, also when nothing has changed. May throw for one that it can't use, which has then failed.
   * @param withheld some of it was left out, because the token may not see it
   */
  answer(value: T, withheld: boolean): void;
  failed(error: Error): void;
}

export interface FollowParts {
  readonly clock: Clock;
  readonly random: Random;
  ask(
    params: readonly (readonly [string, string])[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<ApiAnswer>;
  /** Ends it as `close` does. */
  readonly signal: AbortSignal;
}

/** Consul adds up to a sixteenth to the wait, so that its clients do not come back all at once. */
const WAIT_JITTER = 17 / 16;
/** For the way there and back. */
const GRACE_MS = 5_000;
/** Between two queries, so that a service which changes all the time is not asked for all the time. */
const LEAST_GAP_MS = 100;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 15_000;

/** Where the next query goes on, from the index of an answer and that of the one before. */
const nextIndex = (answer: ApiAnswer, before: number): number => {
  const text = answer.header('x-consul-index');
  if (text === null || !/^\d{1,15}$/.test(text))
    throw new Error(`${answer.from}: there is no X-Consul-Index`);
  const index = Number(text);
  // One that went back is of another history (a restored or new cluster). One of 0 would never block.
  return index < before ? 0 : Math.max(index, 1);
};

const isStale = (answer: ApiAnswer, staleMs: number): boolean =>
  answer.header('x-consul-knownleader') === 'false' ||
  Number(answer.header('x-consul-lastcontact')) > staleMs;

/** Begins to follow. */
export function followConsul<T>(query: BlockingQuery<T>, to: ConsulFollower<T>, parts: FollowParts) {
  const { clock } = parts;
  const end = new AbortController();
  const signal = AbortSignal.any([end.signal, parts.signal]);
  const backoff = createBackoff(parts.random, FIRST_RETRY_MS, LAST_RETRY_MS);
  const timeoutMs = query.waitMs * WAIT_JITTER + GRACE_MS;

  const ask = async (index: number): Promise<ApiAnswer> => {
    const params = [...query.params];
    if (index > 0) params.push(['index', String(index)], ['wait', `${query.waitMs}ms`]);
    if (query.staleMs === 0) return parts.ask(params, timeoutMs, signal);
    const answer = await parts.ask([...params, ['stale', '']], timeoutMs, signal);
    return answer.status === 200 && isStale(answer, query.staleMs)
      ? parts.ask(params, timeoutMs, signal)
      : answer;
  };

  const follow = async () => {
    let index = 0;
    while (!signal.aborted) {
      const startMs = clock.nowMs();
      try {
        const answer = await ask(index);
        const value = readJson(answer, query.shape);
        index = nextIndex(answer, index);
        if (signal.aborted) return;
        backoff.reset();
        to.answer(value, answer.header('x-consul-results-filtered-by-acls') === 'true');
        await pause(clock, Math.max(0, LEAST_GAP_MS - (clock.nowMs() - startMs)), signal);
      } catch (error) {
        if (signal.aborted) return;
        // The next answer may come from another history, whose index may be lower: it must not be waited for.
        index = 0;
        to.failed(error as Error);
        await pause(clock, backoff.nextMs(), signal);
      }
    }
  };

  void follow();
  return { close: () => end.abort(new Error('no longer followed')) };
}
