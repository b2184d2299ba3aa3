/** The keys of an issuer that publishes them: fetched ahead of need, kept when it is down, and never stormed. */
import type { Clock, PluginCounter, PluginLogger, Random } from 'snowgate/plugin';
import { fetchJson } from './fetch-json.ts';
import { type Keys, readKeys } from './keys.ts';

export interface RemoteKeysOptions {
  readonly issuer: string;
  /** Null: found through the issuer's discovery document. */
  readonly url: string | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: PluginLogger;
  /** Labelled by `result`: ok, failed. */
  readonly fetches: PluginCounter;
}

const TIMEOUT_MS = 5_000;
const MOST_BYTES = 512 * 1024;
const REFRESH_MS = 300_000;
/** Between two fetches that tokens ask for by naming a key that is not known, and between tries while keys are kept. */
export const COOLDOWN_MS = 30_000;
/** How long a name that the issuer did not know is believed to be nobody's. */
const UNKNOWN_MS = 60_000;
const MOST_UNKNOWN = 1_000;
/** While there are no keys at all, tries come sooner at first. */
const FIRST_RETRY_MS = 1_000;
/** A token of an unknown key waits for the issuer so long; one of an issuer without keys until the fetch is over. */
const PATIENCE_MS = 1_000;
/** Requests that wait at once for a key that is not known: past that, they are refused like those that wait in vain. */
const MOST_WAITING = 200;
/** The same before the first keys: everybody has to wait then, for as long as one fetch takes. */
const MOST_WAITING_COLD = 10_000;

export class RemoteKeys {
  /** Null until the first good answer; the last good one from then on. */
  current: Keys | null = null;
  readonly #o: RemoteKeysOptions;
  readonly #end = new AbortController();
  readonly #unknown = new Map<string, number>();
  #fetching: Promise<boolean> | null = null;
  /** When a token last made us ask; fetches of our own don't count, or a change right after one would go unseen. */
  #askedMs = Number.NEGATIVE_INFINITY;
  #retryMs = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #waiting = 0;
  #timer: { cancel(): void };

  constructor(options: RemoteKeysOptions) {
    this.#o = options;
    this.#timer = options.clock.after(0, () => void this.#fetch());
  }

  /** Ends all that goes on; called when no instance needs the keys any more. */
  close(): void {
    this.#timer.cancel();
    this.#end.abort(new Error('the keys are no longer needed'));
  }

  /**
   * Asks the issuer whether there are newer keys, if that is allowed now; `current` is then another set.
   * @param kid the name that was not found, or '' for a token that names none
   */
  async renew(kid: string): Promise<void> {
    const before = this.current;
    const most = before === null ? MOST_WAITING_COLD : MOST_WAITING;
    if (!this.#mayAsk(kid) || this.#waiting >= most) return;
    if (before !== null && this.#fetching === null) this.#askedMs = this.#o.clock.nowMs();
    this.#waiting++;
    try {
      const good = await this.#soon(this.#fetch());
      // Only a name that the issuer was really asked about is nobody's.
      if (good && this.current === before) this.#noteUnknown(kid);
    } finally {
      this.#waiting--;
    }
  }

  #mayAsk(kid: string): boolean {
    const now = this.#o.clock.nowMs();
    if (now < (this.#unknown.get(kid) ?? Number.NEGATIVE_INFINITY)) return false;
    if (this.#fetching !== null) return true;
    return this.current === null ? now >= this.#retryMs : now - this.#askedMs >= COOLDOWN_MS;
  }

  #noteUnknown(kid: string): void {
    this.#unknown.delete(kid);
    this.#unknown.set(kid, this.#o.clock.nowMs() + UNKNOWN_MS);
    if (this.#unknown.size > MOST_UNKNOWN) this.#unknown.delete(this.#unknown.keys().next().value!);
  }

  /** The outcome of a fetch, or false when it takes longer than a request should wait. */
  async #soon(fetched: Promise<boolean>): Promise<boolean> {
    if (this.current === null) return fetched;
    const late = Promise.withResolvers<boolean>();
    const timer = this.#o.clock.after(PATIENCE_MS, () => late.resolve(false));
    try {
      return await Promise.race([fetched, late.promise]);
    } finally {
      timer.cancel();
    }
  }

  /** One fetch for all who ask meanwhile; true when it went well. Never rejects. */
  #fetch(): Promise<boolean> {
    if (this.#end.signal.aborted) return Promise.resolve(false);
    this.#fetching ??= this.#load().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  async #load(): Promise<boolean> {
    this.#timer.cancel();
    try {
      this.#take(await readKeys(await this.#get(await this.#address()), { own: false }));
      return true;
    } catch (error) {
      if (!this.#end.signal.aborted) this.#failed(error);
      return false;
    }
  }

  #take(keys: Keys): void {
    const { log, fetches, issuer, random } = this.#o;
    if (keys.fingerprint !== this.current?.fingerprint) {
      if (this.current !== null) log.info('the issuer has other keys', { issuer, keys: keys.list.length });
      this.current = keys;
      this.#unknown.clear();
    }
    if (this.#failures > 0) log.info('the keys of the issuer can be had again', { issuer });
    this.#failures = 0;
    fetches.add(1, { result: 'ok' });
    // Spread, so that many gateways do not ask at once.
    this.#schedule(REFRESH_MS * (0.8 + 0.2 * random.next()));
  }

  #failed(error: unknown): void {
    const { clock, log, fetches, issuer } = this.#o;
    fetches.add(1, { result: 'failed' });
    const reason = error instanceof Error ? error.message : String(error);
    const kept = this.current === null ? 'tokens cannot be checked' : 'the keys known so far stay in use';
    if (this.#failures === 0) log.warn(`the keys of the issuer cannot be had; ${kept}`, { issuer, reason });
    const soonMs = this.current === null ? FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 10) : COOLDOWN_MS;
    const retryMs = Math.min(soonMs, COOLDOWN_MS);
    this.#failures++;
    this.#retryMs = clock.nowMs() + retryMs;
    this.#schedule(retryMs);
  }

  #schedule(delayMs: number): void {
    if (this.#end.signal.aborted) return;
    this.#timer = this.#o.clock.after(delayMs, () => void this.#fetch());
  }

  #get(url: string): Promise<unknown> {
    return fetchJson(url, {
      clock: this.#o.clock,
      timeoutMs: TIMEOUT_MS,
      mostBytes: MOST_BYTES,
      signal: this.#end.signal,
    });
  }

  /** OpenID Connect Discovery 1.0 section 4: the document must name the very issuer that was asked for. */
  async #address(): Promise<string> {
    const { issuer, url } = this.#o;
    if (url !== null) return url;
    const where = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const found = (await this.#get(where)) as { issuer?: unknown; jwks_uri?: unknown } | null;
    if (found?.issuer !== issuer)
      throw new Error(
        `${where}: it is about another issuer, ${JSON.stringify(found?.issuer)?.slice(0, 200)}`,
      );
    const uri = found.jwks_uri;
    if (typeof uri !== 'string' || !URL.canParse(uri)) throw new Error(`${where}: it names no jwks_uri`);
    if (new URL(uri).protocol !== new URL(issuer).protocol)
      throw new Error(`${where}: its jwks_uri has another scheme`);
    return uri;
  }
}
