/** From a route as the file has it to the Route that the gateway reads, with its checks. */
import { readAggregate } from './aggregate.ts';
import { Refusal } from './forms.ts';
import type { Part } from './parse-part.ts';
import { isToken, readHost, readPath, readRewrite } from './patterns.ts';
import { readPlugins } from './plugins.ts';
import type { Report } from './report.ts';
import type { RouteInput } from './schema.ts';
import { readShares, type ShareScope } from './shares.ts';
import { placeAt } from './source.ts';
import { spotAt } from './spot.ts';
import { meant } from './suggest.ts';
import { readTraffic } from './traffic.ts';
import type { ConfigPath, PluginUses, Route } from './types.ts';
import { checkHostHeader, checkTimeouts } from './upstreams.ts';
import { readWebSocket } from './websocket.ts';

export interface RouteScope extends ShareScope {
  readonly bodyBytes: number;
  /** Plugins that run everywhere: one of them may answer. */
  readonly globalPlugins: PluginUses;
}

const GIB = 1024 ** 3;
const LONG_MS = 600_000;

const parametersOf = (read: { readonly parameters: readonly string[] } | Refusal): readonly string[] =>
  read instanceof Refusal ? [] : read.parameters;

const readHeaders = (
  report: Report,
  headers: Record<string, string>,
  path: ConfigPath,
): Record<string, string> => {
  const read: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    const place = [...path, name];
    if (!isToken(name)) report.onKey(place, { message: 'this is no name of a header' });
    else if (lower === 'host')
      report.onKey(place, { message: 'the host has its own key', remedy: 'Write it under `host`.' });
    else if (lower in read)
      report.onKey(place, { message: 'this header stands here twice; case does not count' });
    else read[lower] = value;
  }
  return read;
};

/** Can a path that the pattern takes begin with this prefix, by whole segments? */
const canBegin = (pattern: string, prefix: string): boolean => {
  const segments = pattern.slice(1).split('/');
  for (const [at, wanted] of prefix.replace(/\/$/, '').slice(1).split('/').entries()) {
    const segment = segments[at];
    if (segment === '**') return true;
    if (segment === undefined) return false;
    if (segment !== '*' && !segment.startsWith('{') && segment !== wanted) return false;
  }
  return true;
};

const checkPaths = (report: Report, part: Part<RouteInput>, path: ConfigPath): void => {
  const { input, lost } = part;
  const { stripPrefix, rewrite } = input;
  if (stripPrefix !== undefined && rewrite !== undefined)
    report.onKey([...path, 'rewrite'], {
      message: '`stripPrefix` and `rewrite` exclude each other',
      remedy: 'Delete one of the two.',
    });
  if (stripPrefix !== undefined) {
    const place = [...path, 'stripPrefix'];
    const shown = report.show(place, stripPrefix);
    if (/[*{]/.test(stripPrefix))
      report.on(place, { message: `${shown} is taken literally: no \`*\`, no {parameters}` });
    else if (stripPrefix !== '/' && !canBegin(input.path, stripPrefix))
      report.on(place, {
        message: `${shown} is not how the route's path begins`,
        remedy: 'It must be the first segments of `path`.',
      });
    if (input.allow.includes('encoded-slash'))
      report.warn([...path, 'allow'], {
        message:
          'with `stripPrefix`, an encoded slash can make the upstream see another path than the one that was matched',
        remedy: 'Allow encoded slashes only where the upstream takes them as part of a name.',
      });
  }
  if (rewrite === undefined || lost.has('host')) return;
  const known = [...parametersOf(readPath(input.path)), ...parametersOf(readHost(input.host ?? '*'))];
  for (const name of parametersOf(readRewrite(rewrite)))
    if (!known.includes(name))
      report.on([...path, 'rewrite'], {
        message: report.isReplaced([...path, 'rewrite'])
          ? 'neither path nor host has a parameter of it'
          : `neither path nor host has the parameter {${name}}`,
        remedy: meant(name, known) ?? 'Add it to `path`.',
      });
};

const checkParameters = (report: Report, input: RouteInput, path: ConfigPath): void => {
  const ofPath = parametersOf(readPath(input.path));
  if (parametersOf(readHost(input.host ?? '*')).some((name) => ofPath.includes(name)))
    report.on([...path, 'host'], {
      message: 'a parameter stands in the host and in the path',
      remedy: 'Give each parameter its own name.',
    });
};

const checkEnds = (scope: RouteScope, part: Part<RouteInput>, path: ConfigPath): void => {
  const { input, lost } = part;
  const { report, globalPlugins } = scope;
  const answers = [...Object.values(input.plugins), ...Object.values(globalPlugins)].some(
    (use) => use !== false,
  );
  const sent = input.upstream !== undefined || input.aggregate !== undefined;
  const unread = ['upstream', 'aggregate', 'plugins'].some((key) => lost.has(key));
  if (!sent && !answers && !unread)
    report.on(path, {
      message: 'the route goes nowhere',
      remedy: 'Give it an `upstream`, an `aggregate`, or a plugin that answers.',
    });
  if (input.body !== undefined && input.limits.body !== undefined)
    report.onKey([...path, 'body'], {
      message: '`body` and `limits.body` say the same',
      remedy: 'Delete one of the two.',
    });
  const bytes = input.body ?? input.limits.body ?? 0;
  if (bytes > GIB)
    report.warn([...path, ...(input.body === undefined ? ['limits', 'body'] : ['body'])], {
      message: 'bodies of over 1 GiB are let through',
    });
  if (input.timeout > LONG_MS)
    report.warn([...path, 'timeout'], {
      message: 'this is over 10 minutes: a stuck upstream holds requests that long',
    });
};

/** How a route is called that has no name: what it matches. */
export function defaultName(route: Pick<Route, 'methods' | 'host' | 'path' | 'headers' | 'query'>): string {
  const methods = route.methods.length === 0 ? '' : `${route.methods.join(',')} `;
  const headers = Object.entries(route.headers).map(([name, value]) => ` ${name}=${value}`);
  const query = Object.entries(route.query).map(([name, value]) => ` ?${name}=${value}`);
  return `${methods}${route.host}${route.path}${headers.join('')}${query.join('')}`;
}

const nullProto = <V>(from: Record<string, V>): Record<string, V> => Object.assign(Object.create(null), from);

/** Reads one route; its mistakes are reported. Without a name of its own it has its default one. */
export function readRoute(scope: RouteScope, part: Part<RouteInput>, at: number): Route {
  const { input } = part;
  const path = ['routes', at];
  const { report } = scope;
  checkParameters(report, input, path);
  checkPaths(report, part, path);
  checkEnds(scope, part, path);
  checkHostHeader(report, input.hostHeader, [...path, 'hostHeader']);
  const { connect, firstByte, idle } = input.timeouts;
  const timeouts = {
    ...(connect === undefined ? {} : { connectMs: connect }),
    ...(firstByte === undefined ? {} : { firstByteMs: firstByte }),
    ...(idle === undefined ? {} : { idleMs: idle }),
  };
  checkTimeouts(report, timeouts, [...path, 'timeouts']);
  const matching = {
    host: input.host === undefined || input.host === '*' ? '' : lowerHost(input.host),
    path: input.path,
    methods: [...new Set(input.methods ?? [])],
    headers: readHeaders(report, input.headers, [...path, 'headers']),
    query: nullProto(input.query),
  };
  const upstream = readShares(scope, input.upstream, [...path, 'upstream']);
  return {
    name: input.name ?? defaultName(matching),
    ...matching,
    upstream,
    ...readTraffic(scope, input, {
      path,
      timeoutMs: input.timeout,
      upstreams: upstream.map(({ name }) => name),
    }),
    aggregate: readAggregate(scope, input, path),
    stripPrefix: input.stripPrefix ?? null,
    rewrite: input.rewrite ?? null,
    hostHeader: input.hostHeader,
    timeoutMs: input.timeout,
    maxDurationMs: input.maxDuration,
    timeouts,
    websocket: readWebSocket(input),
    bodyBytes: input.body ?? input.limits.body ?? scope.bodyBytes,
    allow: [...new Set(input.allow)],
    priority: input.priority,
    plugins: readPlugins(report, input.plugins, [...path, 'plugins']),
    line: placeAt(report.source, spotAt(report.root, path).spot.value).line,
    configPath: path,
  };
}

/** Lower case but for the names of parameters. */
const lowerHost = (host: string): string =>
  host
    .split('.')
    .map((label) => (label.startsWith('{') ? label : label.toLowerCase()))
    .join('.');
