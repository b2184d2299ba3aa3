/** Puts the parts of a file together into a Config, and checks what goes across the parts. */
import { isIPv4 } from 'node:net';
import { readFailovers } from './failover.ts';
import { parseRoot } from './parse.ts';
import { readPlugins } from './plugins.ts';
import { readRedis } from './redis.ts';
import type { RegistryForm } from './registries/form.ts';
import { readRegistry } from './registries/read.ts';
import type { Report } from './report.ts';
import { readRoute } from './routes.ts';
import type { RootInput } from './schema.ts';
import type { Scope } from './scope.ts';
import { readShed } from './shed.ts';
import type { Address, AdminAddress, Config, PluginUses, RegistryConfig, Route, Upstream } from './types.ts';
import { readUpstream } from './upstreams.ts';

const GIB = 1024 ** 3;

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::';

/** Would the system refuse to bind both? Port 0 never collides. */
const collide = (a: Address, b: Address): boolean =>
  a.port === b.port && a.port !== 0 && (a.host === b.host || isWildcard(a.host) || isWildcard(b.host));

const checkListeners = (
  report: Report,
  listen: readonly Address[] | undefined,
  admin: AdminAddress | null | undefined,
): void => {
  if (listen?.length === 0) report.on(['listen'], { message: 'there is no address to listen on' });
  for (const [at, address] of (listen ?? []).entries())
    if (listen!.slice(0, at).some((other) => collide(address, other)))
      report.on(['listen', at], {
        message: 'an address before it takes the same port',
        remedy: 'Delete one of the two.',
      });
  if (admin === undefined || admin === null) return;
  if (listen?.some((address) => collide(address, admin)))
    report.on(['admin'], {
      message: '`listen` and `admin` have the same address',
      remedy: 'Give `admin` a port of its own.',
    });
  if (!isLoopback(admin.host) && admin.token === null)
    report.warn(['admin'], {
      message: 'the admin address can be reached from other machines',
      remedy: 'Listen on 127.0.0.1, or keep others out by a firewall.',
    });
};

const checkTrace = (report: Report, trace: RootInput['trace'] | undefined): void => {
  if (trace === undefined) return;
  const { bits } = trace;
  if (bits.datacenter + bits.worker + bits.sequence !== 22)
    report.on(['trace', 'bits'], {
      message: 'the bits of datacenter, worker and sequence are not 22 together',
      remedy: 'The usual ones are 5, 5 and 12.',
    });
  for (const key of ['datacenter', 'worker'] as const) {
    const number = trace[key];
    if (number === 'auto' || number < 2 ** bits[key]) continue;
    report.on(['trace', key], {
      message: `${report.show(['trace', key], number)} does not fit into ${bits[key]} bits`,
      remedy: `Write a number from 0 to ${2 ** bits[key] - 1}.`,
    });
  }
};

const checkRoot = (report: Report, root: Partial<RootInput>): void => {
  checkListeners(report, root.listen, root.admin);
  checkTrace(report, root.trace);
  for (const [at, cidr] of (root.trustedProxies ?? []).entries())
    if (cidr.endsWith('/0'))
      report.warn(['trustedProxies', at], {
        message: 'every client is believed about its address: limits and logs can be tricked',
        remedy: 'Name only the addresses of your own proxies.',
      });
  if ((root.limits?.body ?? 0) > GIB)
    report.warn(['limits', 'body'], { message: 'bodies of over 1 GiB are let through' });
};

/** Names of their own must differ; default names get a number where they don't. */
const nameRoutes = (report: Report, routes: readonly Route[], own: ReadonlySet<Route>): Route[] => {
  const taken = new Map<string, Route>();
  for (const route of routes) {
    if (!own.has(route)) continue;
    const other = taken.get(route.name);
    const path = [...route.configPath, 'name'];
    if (other === undefined) taken.set(route.name, route);
    else
      report.on(path, {
        message: `the route of line ${other.line} is called ${report.show(path, route.name)} too`,
        remedy: 'Give each route its own name.',
      });
  }
  return routes.map((route) => {
    if (own.has(route)) return route;
    let name = route.name;
    for (let count = 2; taken.has(name); count++) name = `${route.name} #${count}`;
    taken.set(name, route);
    return name === route.name ? route : { ...route, name };
  });
};

const warnUnused = (report: Report, upstreams: Record<string, Upstream>, routes: readonly Route[]): void => {
  const used = new Set([
    ...routes.flatMap((route) => route.upstream.map((share) => share.name)),
    ...routes.map((route) => route.mirror?.upstream),
    ...routes.flatMap((route) => (route.aggregate?.parts ?? []).map((part) => part.upstream)),
    ...Object.values(upstreams).map(({ failover }) => failover),
  ]);
  for (const upstream of Object.values(upstreams))
    if (!used.has(upstream.name))
      report.onKey(upstream.path, { message: 'no route uses this upstream' }, 'warning');
};

/** Services enter themselves at one place, which says nothing of a registry. */
const checkPush = (report: Report, registries: Record<string, RegistryConfig>): void => {
  for (const { path } of Object.values(registries)
    .filter(({ type }) => type === 'push')
    .slice(1))
    report.onKey(path, {
      message: 'there is a registry of type push already',
      remedy: 'Use the same one for all services.',
    });
};

const warnUnasked = (
  report: Report,
  registries: Record<string, RegistryConfig>,
  upstreams: Record<string, Upstream>,
): void => {
  const asked = new Set(Object.values(upstreams).map((upstream) => upstream.discover?.registry));
  for (const { name, register, path } of Object.values(registries))
    if (!asked.has(name) && register === null)
      report.onKey(path, { message: 'no upstream asks this registry' }, 'warning');
};

const rootConfig = (
  root: RootInput,
  scope: Scope,
): Omit<Config, 'registries' | 'upstreams' | 'routes' | 'plugins'> => ({
  version: 1,
  listen: root.listen,
  admin: root.admin,
  stateDir: scope.files.absolute(root.stateDir),
  redis: readRedis(root.redis),
  trace: {
    id: root.trace.id,
    datacenter: root.trace.datacenter,
    worker: root.trace.worker,
    epochMs: root.trace.epoch,
    bits: root.trace.bits,
    sample: root.trace.sample,
  },
  trustedProxies: root.trustedProxies,
  limits: {
    headerBytes: root.limits.headerBytes,
    headerCount: root.limits.headerCount,
    urlBytes: root.limits.url,
    bodyBytes: root.limits.body,
    connections: root.limits.connections,
  },
  log: root.log,
  shed: readShed(root.shed),
  shutdown: { graceMs: root.shutdown.grace, delayMs: root.shutdown.delay },
});

/** Gives the Config, or null when there is any error; both kinds of issues go to the report. */
export function assemble(scope: Scope, value: unknown): Config | null {
  const { report } = scope;
  const parsed = parseRoot(report, value);
  if (parsed === null) return null;
  checkRoot(report, parsed.root);
  const plugins: PluginUses = readPlugins(report, parsed.root.plugins ?? {}, ['plugins']);
  const registries: Record<string, RegistryConfig> = Object.create(null);
  const forms = new Map<string, RegistryForm | null>();
  for (const [name, found] of parsed.registries) {
    forms.set(name, found?.form ?? null);
    if (found !== null) registries[name] = readRegistry(scope, name, found);
  }
  checkPush(report, registries);
  const upstreams: Record<string, Upstream> = Object.create(null);
  for (const [name, part] of parsed.upstreams)
    if (part !== null) upstreams[name] = readUpstream({ ...scope, registries: forms }, name, part);
  const routeScope = {
    report,
    registries: forms,
    upstreamNames: [...parsed.upstreams.keys()],
    upstreams,
    bodyBytes: parsed.root.limits?.body ?? 0,
    globalPlugins: plugins,
  };
  readFailovers(routeScope, parsed.upstreams);
  const own = new Set<Route>();
  const routes: Route[] = [];
  for (const [at, part] of parsed.routes.entries()) {
    if (part === null) continue;
    const route = readRoute(routeScope, part, at);
    routes.push(route);
    if (part.input.name !== undefined) own.add(route);
  }
  const named = nameRoutes(report, routes, own);
  if (report.failed) return null;
  // Only now are those there too that routes name in place.
  for (const name in upstreams) upstreams[name] = { ...upstreams[name]!, zone: parsed.root.zone ?? null };
  warnUnused(report, upstreams, named);
  warnUnasked(report, registries, upstreams);
  if (named.length === 0)
    report.warn(['routes'], { message: 'there is no route: every request is answered with 404' });
  return { ...rootConfig(parsed.root as RootInput, scope), registries, upstreams, plugins, routes: named };
}
