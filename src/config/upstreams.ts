/** From an upstream as the file has it to the Upstream that the gateway reads, with its checks. */
import { type EndpointSpec, endpointName } from '../wire/endpoint.ts';
import { readTarget } from './addresses.ts';
import { readBalance } from './balance.ts';
import { checkChoosing, readChoosing } from './choosing.ts';
import { Refusal } from './forms.ts';
import type { Part } from './parse-part.ts';
import { readHost } from './patterns.ts';
import { readPlugins } from './plugins.ts';
import { type DiscoverScope, readDiscover } from './registries/read.ts';
import type { Report } from './report.ts';
import { checkResilience, readResilience } from './resilience.ts';
import { readRetry } from './retry.ts';
import { type UpstreamInput, upstreamSchema } from './schema.ts';
import type { Scope } from './scope.ts';
import { readTls } from './tls.ts';
import type { ConfigPath, Timeouts, Upstream } from './types.ts';

const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/;
/** Above this, a stuck upstream holds requests for longer than anybody waits. */
const LONG_MS = 600_000;

const readTargets = (
  report: Report,
  targets: NonNullable<UpstreamInput['targets']>,
  path: ConfigPath,
): EndpointSpec[] => {
  const listed = Array.isArray(targets);
  const entries: [string | number, string, number][] = listed
    ? targets.map((url, at) => [at, url, 1])
    : Object.entries(targets).map(([url, weight]) => [url, url, weight]);
  const specs = new Map<string, EndpointSpec>();
  for (const [step, url, weight] of entries) {
    const place = [...path, step];
    const spec = readTarget(url, weight);
    const shown = listed ? report.show(place, url) : 'this target';
    if (spec instanceof Refusal)
      report.onKey(place, { message: `${shown} ${spec.message}`, remedy: spec.remedy });
    else if (specs.has(endpointName(spec)))
      report.onKey(place, {
        message: `${shown} stands here twice`,
        remedy: 'Give one of them the weight of both.',
      });
    else specs.set(endpointName(spec), spec);
  }
  if (entries.length === 0)
    report.on(path, { message: 'there is no target', remedy: 'Name at least one URL.' });
  else if (entries.every(([, , weight]) => weight === 0))
    report.on(path, {
      message: 'every weight is 0, so nothing can be sent',
      remedy: 'Give at least one target a weight.',
    });
  return [...specs.values()];
};

/** Refuses what cannot be sent as Host. */
export function checkHostHeader(report: Report, value: string, path: ConfigPath): void {
  if (value === 'keep' || value === 'upstream') return;
  const host = value.replace(/:\d{1,5}$/, '');
  const read = readHost(host);
  const wrong = read instanceof Refusal || host.includes('*') || read.parameters.length > 0;
  if (wrong)
    report.on(path, {
      message: `${report.show(path, value)} cannot be sent as Host`,
      remedy: 'Write keep, upstream, or the name to send.',
    });
}

/** Warns of timeouts so long that they are none. */
export function checkTimeouts(report: Report, timeouts: Partial<Timeouts>, path: ConfigPath): void {
  for (const [key, ms] of [
    ['connect', timeouts.connectMs],
    ['firstByte', timeouts.firstByteMs],
  ] as const)
    if (ms !== undefined && ms > LONG_MS)
      report.warn([...path, key], {
        message: 'this is over 10 minutes: a stuck upstream holds requests that long',
      });
}

export type UpstreamScope = Scope & DiscoverScope;

type Ends = Pick<Upstream, 'targets' | 'discover'>;

const readEnds = (scope: UpstreamScope, part: Part<UpstreamInput>, path: ConfigPath): Ends => {
  const { report } = scope;
  const { targets, discover } = part.input;
  if (targets !== undefined && discover !== undefined)
    report.onKey([...path, 'discover'], {
      message: '`targets` and `discover` exclude each other',
      remedy: 'Delete one of the two.',
    });
  else if (targets === undefined && discover === undefined && !part.lost.has('targets'))
    report.on(path, {
      message: '`targets` is missing',
      remedy: 'Name the URLs of the endpoints, or the service with `discover: registry/service`.',
    });
  return {
    targets: targets === undefined ? [] : readTargets(report, targets, [...path, 'targets']),
    discover: discover === undefined ? null : readDiscover(scope, discover, [...path, 'discover']),
  };
};

/** Reads one upstream; its mistakes are reported. */
export function readUpstream(scope: UpstreamScope, name: string, part: Part<UpstreamInput>): Upstream {
  const path = ['upstreams', name];
  const { report } = scope;
  const { input } = part;
  if (!NAME.test(name))
    report.onKey(path, {
      message: 'the name of an upstream is 1 to 64 letters, digits, `.`, `_` and `-`',
      remedy: 'Choose another name.',
    });
  checkHostHeader(report, input.hostHeader, [...path, 'hostHeader']);
  const upstream: Upstream = {
    ...plainUpstream(name, input, path),
    ...readEnds(scope, part, path),
    balance: readBalance(report, input.balance, [...path, 'balance']),
    tls: input.tls === undefined ? null : readTls(scope, input.tls, [...path, 'tls']),
    plugins: readPlugins(report, input.plugins, [...path, 'plugins']),
  };
  checkChoosing(report, input, path);
  checkResilience(report, input, path);
  checkTimeouts(report, upstream.timeouts, [...path, 'timeouts']);
  const plain = upstream.targets.every((target) => target.scheme === 'http');
  if (upstream.tls !== null && plain && upstream.targets.length > 0)
    report.warn([...path, 'tls'], { message: '`tls` does nothing: no target begins with https://' });
  return upstream;
}

/** The upstream that a route names in place, with every default. */
export function upstreamInPlace(name: string, ends: Ends, path: ConfigPath): Upstream {
  return {
    ...plainUpstream(name, upstreamSchema.parse({}), path),
    ...ends,
    balance: { method: 'round-robin' },
    tls: null,
    plugins: Object.create(null),
  };
}

const plainUpstream = (
  name: string,
  input: UpstreamInput,
  path: ConfigPath,
): Omit<Upstream, 'targets' | 'discover' | 'balance' | 'tls' | 'plugins'> => ({
  name,
  protocol: input.protocol,
  hostHeader: input.hostHeader === 'keep' ? null : input.hostHeader,
  zone: null,
  ...readChoosing(input),
  retry: readRetry(input.retry),
  // Names are looked up once all are known.
  failover: null,
  ...readResilience(input),
  timeouts: {
    connectMs: input.timeouts.connect,
    firstByteMs: input.timeouts.firstByte,
    idleMs: input.timeouts.idle,
  },
  path,
});
