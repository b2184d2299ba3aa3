/** The upstreams that a route names: by name, or given in place as a URL or as registry/service. */
import { looksLikeUrl, readTarget } from './addresses.ts';
import { Refusal } from './forms.ts';
import { type DiscoverScope, readShortDiscover } from './registries/read.ts';
import type { RouteInput } from './schema.ts';
import { meant } from './suggest.ts';
import type { ConfigPath, Route, Upstream } from './types.ts';
import { upstreamInPlace } from './upstreams.ts';

export interface ShareScope extends DiscoverScope {
  /** Names in the file, those with mistakes included. */
  readonly upstreamNames: readonly string[];
  /** Upstreams given in place are added here. */
  readonly upstreams: Record<string, Upstream>;
}

/** The URL as a name: without the slash at its end, host and scheme in lower case. */
const urlName = (url: string): string => url.replace(/\/$/, '').toLowerCase();

/**
 * The name of the upstream that a word stands for; null, and reported, when there is none.
 * @param at where the word stands, as a value or as a key
 */
export function resolveUpstream(
  scope: ShareScope,
  word: string,
  at: { path: ConfigPath; key: boolean },
): string | null {
  const { report, upstreams } = scope;
  const shown = at.key ? report.showKey(at.path) : report.show(at.path, word);
  const tell = (message: string, remedy: string | null) =>
    at.key ? report.onKey(at.path, { message, remedy }) : report.on(at.path, { message, remedy });
  if (scope.upstreamNames.includes(word)) return word;
  if (!looksLikeUrl(word) && word.includes('/')) {
    const discover = readShortDiscover(scope, word, at);
    if (discover === null) return null;
    upstreams[word] ??= upstreamInPlace(word, { targets: [], discover }, at.path);
    return word;
  }
  if (!looksLikeUrl(word)) {
    tell(
      `there is no upstream ${shown}`,
      meant(word, scope.upstreamNames) ?? 'Add it under `upstreams`, or write a URL.',
    );
    return null;
  }
  const target = readTarget(word, 1);
  if (target instanceof Refusal) {
    tell(`${shown} ${target.message}`, target.remedy);
    return null;
  }
  const name = urlName(word);
  upstreams[name] ??= upstreamInPlace(name, { targets: [target], discover: null }, at.path);
  return name;
}

/** Reads what stands under a route's `upstream`; empty where there is nothing. */
export function readShares(
  scope: ShareScope,
  upstream: RouteInput['upstream'],
  path: ConfigPath,
): Route['upstream'] {
  if (upstream === undefined) return [];
  if (typeof upstream === 'string') {
    const name = resolveUpstream(scope, upstream, { path, key: false });
    return name === null ? [] : [{ name, weight: 1 }];
  }
  const entries = Object.entries(upstream);
  if (entries.length === 0)
    scope.report.on(path, {
      message: 'there is no upstream in the split',
      remedy: 'Write `{ name: weight }`.',
    });
  else if (entries.every(([, weight]) => weight === 0))
    scope.report.on(path, {
      message: 'every weight is 0, so nothing can be sent',
      remedy: 'Give at least one upstream a weight.',
    });
  return entries.flatMap(([word, weight]) => {
    const name = resolveUpstream(scope, word, { path: [...path, word], key: true });
    return name === null ? [] : [{ name, weight }];
  });
}
