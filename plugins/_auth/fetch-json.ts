/** Fetches a small JSON document: bounded in time and size, and never led elsewhere by a redirect. */
import type { Clock } from 'snowgate/plugin';

export interface FetchLimits {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly mostBytes: number;
  /** Gives up early. */
  readonly signal: AbortSignal;
}

const readBody = async (response: Response, mostBytes: number): Promise<string> => {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.byteLength;
    if (size > mostBytes) throw new Error(`the answer is larger than ${mostBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
};

const causeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  // fetch says only "fetch failed"; what failed is in the cause.
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return 'code' in cause && cause.message === '' ? String(cause.code) : cause.message;
};

/**
 * Gets a document.
 * @throws Error whose message names the address and what is wrong
 */
export async function fetchJson(url: string, limits: FetchLimits): Promise<unknown> {
  const late = new AbortController();
  const timer = limits.clock.after(limits.timeoutMs, () =>
    late.abort(new Error(`no answer in ${limits.timeoutMs} ms`)),
  );
  const signal = AbortSignal.any([late.signal, limits.signal]);
  try {
    const response = await fetch(url, {
      signal,
      redirect: 'manual',
      headers: { accept: 'application/json' },
    });
    if (response.status >= 300 && response.status < 400) {
      throw new Error(
        `it redirects to ${response.headers.get('location')?.slice(0, 200)}; name that address instead`,
      );
    }
    if (response.status !== 200) throw new Error(`it answered ${response.status}`);
    return JSON.parse(await readBody(response, limits.mostBytes));
  } catch (error) {
    throw new Error(`${url}: ${causeOf(signal.aborted ? signal.reason : error)}`, { cause: error });
  } finally {
    timer.cancel();
    // Lets go of a body that was not read to its end.
    late.abort();
  }
}
