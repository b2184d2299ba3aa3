/** The command `snowgate explain`: which way a request would go, and why not another. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Retry } from '../config/retry.ts';
import type { Balance } from '../config/types.ts';
import { systemClock } from '../kernel/clock.ts';
import { systemRandom } from '../kernel/random.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import { createRouter } from '../router/router.ts';
import { type Looked, lookUp } from '../runtime/look-up.ts';
import type { Plan, PlannedRoute, PlannedTarget } from '../runtime/plan.ts';
import { createRewrite } from '../runtime/rewrite.ts';
import { endpointName } from '../wire/endpoint.ts';
import { createFields, type Fields } from '../wire/fields.ts';
import type { RequestHead } from '../wire/heads.ts';
import type { WordSource } from '../wire/words.ts';
import { homeOf } from './explain-key.ts';
import { partLines, partsJson } from './explain-parts.ts';
import { trafficJson, trafficRows } from './explain-traffic.ts';
import { DEFAULT_FILE, quietLog, readGood } from './read.ts';
import { methodsText, patternText } from './route-text.ts';
import { CommandFailed, columns, EXIT, paint, print, printJson } from './terminal.ts';
import { exchangeOf, type Judged, judge, type Verdict } from './verdicts.ts';

interface Options {
  readonly config: string;
  readonly header: Fields;
  readonly policies?: boolean;
  readonly token?: string;
  readonly from: string;
  readonly json?: boolean;
}

const collectHeader = (text: string, before: Fields): Fields => {
  const colon = text.indexOf(':');
  if (colon < 1) throw new InvalidArgumentError('It must be "name: value".');
  const fields = Object.assign(createFields(), before);
  fields[text.slice(0, colon).trim().toLowerCase()] = text.slice(colon + 1).trim();
  return fields;
};

/** The head as the listener would give it: the path raw, so that the router judges it as it would at run time. */
const headOf = (method: string, url: string, fields: Fields): RequestHead => {
  const match = /^(?:(https?):\/\/([^/?#]+))?([^?#]*)(\?[^#]*)?/i.exec(url)!;
  const [, scheme, authority, path, query] = match;
  if (path === '' && authority === undefined)
    throw new CommandFailed(`"${url}" is neither a URL nor a path.`, EXIT.usage);
  if (path !== '' && !path!.startsWith('/')) throw new CommandFailed('A path begins with "/".', EXIT.usage);
  const { host, ...others } = fields;
  return {
    method: method.toUpperCase(),
    scheme: scheme?.toLowerCase() === 'https' ? 'https' : 'http',
    authority: (typeof host === 'string' ? host : (authority ?? 'localhost')).toLowerCase(),
    path: path === '' ? '/' : path!,
    query: query ?? '',
    fields: Object.assign(createFields(), others),
  };
};

type LookedUp = ReadonlyMap<string, Looked>;
type LookUp = (upstreams: readonly string[]) => Promise<LookedUp>;

/** What is known of a request before anything is sent. */
interface Known {
  readonly looked: LookedUp;
  readonly source: WordSource;
}

const targetJson = (plan: Plan, route: PlannedRoute, target: PlannedTarget, { looked, source }: Known) => {
  const upstream = plan.config.upstreams[target.upstream]!;
  const { discover } = upstream;
  const { endpoints, why } = looked.get(target.upstream)!;
  const total = route.targets.reduce((sum, each) => sum + each.weight, 0);
  return {
    upstream: target.upstream,
    share: target.weight / total,
    balance: upstream.balance,
    // The name only: what the cookie is signed with is nobody's business.
    sticky: upstream.sticky?.cookie ?? null,
    discover: discover === null ? null : { registry: discover.registry, service: discover.service },
    endpoints: endpoints.map((spec) => ({ endpoint: endpointName(spec), weight: spec.weight })),
    noEndpoints: why,
    home: homeOf(upstream, endpoints, source),
    hostHeader: target.hostHeader,
    timeouts: target.timeouts,
    retry: upstream.retry,
    failover: target.failover,
    plugins: target.uses.map(({ name, scope, use }) => ({ name, type: use.type, scope })),
  };
};

interface Asked {
  readonly head: RequestHead;
  /** The client's address. */
  readonly from: string;
  /** As the plugins left it; null where no token was shown. */
  readonly exchange: LiveExchange | null;
}

const explainJson = async (plan: Plan, { head, from, exchange }: Asked, look: LookUp) => {
  const router = createRouter(plan.config.routes);
  const { match, path, problem, routes } = router.explain(head);
  const route = match.kind === 'found' ? plan.routes[match.index]! : plan.fallback;
  const rewrite = route.config === null ? null : createRewrite(route.config);
  const looked = await look(route.targets.map((target) => target.upstream));
  const source: WordSource = exchange ?? {
    client: { address: from, scheme: head.scheme },
    route: route.info,
    params: match.kind === 'found' ? match.params : {},
    received: { ...head, path: path ?? head.path },
    principal: null,
  };
  const known = { source, judged: exchange !== null };
  return {
    request: { method: head.method, host: head.authority, path, query: head.query },
    outcome: match.kind,
    problem,
    route: match.kind === 'found' ? { name: route.info.name, line: route.config?.line ?? 0 } : null,
    allow: match.kind === 'method' ? match.allow : null,
    params: match.kind === 'found' ? match.params : {},
    pathSent: match.kind === 'found' && rewrite !== null ? rewrite(match.path, match.params) : path,
    timeoutMs: route.config?.timeoutMs ?? null,
    bodyLimitBytes: route.config?.bodyBytes ?? null,
    plugins: route.uses.map(({ name, scope, use }) => ({ name, type: use.type, scope })),
    targets:
      match.kind === 'found'
        ? route.targets.map((target) => targetJson(plan, route, target, { looked, source }))
        : [],
    ...trafficJson(route, known),
    parts: match.kind === 'found' ? partsJson(route.parts, known) : [],
    others: routes.filter((verdict) => verdict.outcome !== 'won'),
  };
};

type Explained = Awaited<ReturnType<typeof explainJson>>;

const VERDICTS: Record<string, string> = {
  'not-found': 'no route takes it: 404 GW_NO_ROUTE',
  'bad-path': 'the path is refused: 400 GW_BAD_PATH',
};

const verdictText = (explained: Explained, plan: Plan): string => {
  if (explained.outcome === 'method') {
    return `the route does not take ${explained.request.method}: 405 with Allow: ${explained.allow!.join(', ')}`;
  }
  if (explained.outcome !== 'found') return VERDICTS[explained.outcome]!;
  const route = plan.routes.find((each) => each.info.name === explained.route!.name)!;
  const name =
    route.info.name === `${methodsText(route)} ${patternText(route)}` ? '' : ` "${route.info.name}"`;
  return `route${name} ${methodsText(route)} ${patternText(route)} (line ${explained.route!.line})`;
};

const seconds = (ms: number | null) => (ms === null || ms === 0 ? 'none' : `${ms / 1000} s`);

const balanceText = ({ balance, sticky }: { balance: Balance; sticky: string | null }) => {
  const method = balance.method === 'hash' ? `hash by ${balance.by}` : balance.method;
  return sticky === null ? method : `${method}, sticky by cookie ${sticky}`;
};

const triesText = ({ attempts, perTryMs, hedgeAfterMs }: Retry) =>
  [
    String(attempts),
    ...(perTryMs === null ? [] : [`each at most ${seconds(perTryMs)}`]),
    ...(hedgeAfterMs === null ? [] : [`a GET also elsewhere after ${seconds(hedgeAfterMs)}`]),
  ].join(', ');

const targetLines = (target: Explained['targets'][number]): string[] => {
  const share = target.share === 1 ? '' : `, ${Number((target.share * 100).toFixed(1))}% of requests`;
  const total = target.endpoints.reduce((sum, each) => sum + each.weight, 0);
  const endpoints = target.endpoints.map(
    (each) => `${each.endpoint} (${total === 0 ? 0 : Number(((each.weight / total) * 100).toFixed(1))}%)`,
  );
  const { connectMs, firstByteMs, idleMs } = target.timeouts;
  return [
    ...columns([
      ['upstream', `${target.upstream} (${balanceText(target)}${share})`],
      ['endpoints', target.noEndpoints === null ? endpoints.join(', ') : `none: ${target.noEndpoints}`],
      ...(target.home === null
        ? []
        : [['goes to', target.home.endpoint ?? `any: the request has no ${target.home.by}`]]),
      ...(target.discover === null
        ? []
        : [['found by', `${target.discover.registry}/${target.discover.service}`]]),
      ['host sent', target.hostHeader],
      [
        'timeouts',
        `connect ${seconds(connectMs)}, first byte ${seconds(firstByteMs)}, idle ${seconds(idleMs)}`,
      ],
      ['tries', triesText(target.retry)],
      ...(target.failover.length === 0 ? [] : [['failover', target.failover.join(', then ')]]),
    ]).split('\n'),
  ];
};

const verdictRow = ({ plugin, status, code, why }: Verdict): string[] => {
  if (status === 0) return [plugin, why === '' ? 'lets it pass' : why];
  const answer = code === '-' ? `answers ${status}` : `refuses: ${status} ${code}`;
  return [plugin, paint('red', why === '' ? answer : `${answer}, ${why}`)];
};

const judgedLines = ({ verdicts }: Judged): string[] =>
  verdicts.length === 0
    ? ['  nothing here asks for a credential']
    : columns(verdicts.map(verdictRow), '    ').split('\n');

const text = (explained: Explained, plan: Plan, judged: Judged | null): string => {
  const { request, plugins, targets, parts, others } = explained;
  const found = explained.outcome === 'found';
  const lines = [
    `${paint('bold', request.method)} ${request.host}${request.path ?? ''}${request.query}`,
    `${paint(found ? 'green' : 'red', found ? '→' : '✗')} ${verdictText(explained, plan)}`,
  ];
  if (explained.problem !== null) lines.push(`  ${explained.problem}`);
  const parameters = Object.entries(explained.params);
  if (parameters.length > 0)
    lines.push(`  parameters  ${parameters.map(([k, v]) => `${k}=${v}`).join(', ')}`);
  if (found && explained.pathSent !== request.path)
    lines.push(`  path sent   ${explained.pathSent ?? 'refused: 400'}`);
  const ran = targets[0]?.plugins ?? plugins;
  if (ran.length > 0)
    lines.push(`  plugins     ${ran.map((each) => `${each.name} (${each.scope})`).join(', ')}`);
  if (judged !== null) lines.push(...judgedLines(judged));
  const until = parts.length > 0 ? 'the whole answer' : 'the response head';
  if (found) lines.push(`  time limit  ${seconds(explained.timeoutMs)} until ${until}`);
  for (const [name, what] of trafficRows(explained)) lines.push(`  ${name.padEnd(10)}  ${what}`);
  lines.push(...partLines(parts));
  for (const target of targets) lines.push(...targetLines(target));
  const near = others.filter((verdict) => verdict.outcome !== 'missed');
  const shown = near.length > 0 ? near : others.slice(0, 5);
  if (shown.length > 0) {
    lines.push('', 'Not taken:', columns(shown.map((verdict) => [verdict.name, verdict.why])));
    const more = others.length - shown.length;
    if (more > 0) lines.push(`  and ${more} more; --json lists all`);
  }
  return lines.join('\n');
};

const withToken = ({ header, token }: Options): Fields =>
  token === undefined ? header : Object.assign(createFields(), header, { authorization: `Bearer ${token}` });

const isRefused = (judged: Judged | null): boolean => (judged?.verdicts.at(-1)?.status ?? 0) >= 400;

/** Makes the command. */
export function explainCommand(): Command {
  return new Command('explain')
    .summary('tell which way a request would go, and why')
    .description(
      'Tells which route a request would match and why the others not, the plugins in their order, the upstream\n' +
        'and endpoints with their shares, and the time limits. With --policies, what the plugins that let in and\n' +
        'keep out would do with it. Nothing is sent upstream. Exit code 1 when no route takes it, or a plugin does not.',
    )
    .argument('<method>', 'GET, POST, …')
    .argument('<url>', 'a URL, or a path such as /orders/7?v=2')
    .addOption(
      new Option('-H, --header <name: value>', 'a request header; may be given again')
        .argParser(collectHeader)
        .default(createFields(), 'none'),
    )
    .option('--policies', 'say what the plugins that let in and keep out would do')
    .option('--token <token>', 'the same, with this as the bearer token')
    .option('--from <address>', "the client's address", '127.0.0.1')
    .option('-c, --config <file>', 'the configuration', DEFAULT_FILE)
    .option('--json', 'print JSON')
    .action(async (method: string, url: string, options: Options) => {
      const head = headOf(method, url, withToken(options));
      let judged: Judged | null = null;
      let exchange: LiveExchange | null = null;
      const { plan } = await readGood(options.config, async (planned, { routes }) => {
        if (options.token === undefined && options.policies !== true) return;
        const match = createRouter(planned.config.routes).match(head);
        if (match.kind !== 'found') return;
        const { chain, info, slotCount } = routes[match.index]!;
        const { path, params } = match;
        exchange = exchangeOf({
          chain,
          route: info,
          slotCount,
          params,
          head: { ...head, path },
          address: options.from,
        });
        judged = await judge(exchange);
      });
      const explained = await explainJson(plan, { head, from: options.from, exchange }, (upstreams) =>
        lookUp(plan.config, upstreams, {
          file: options.config,
          clock: systemClock,
          random: systemRandom,
          log: quietLog(),
        }),
      );
      if (options.json) printJson(judged === null ? explained : { ...explained, judged });
      else print(text(explained, plan, judged));
      if (explained.outcome !== 'found' || isRefused(judged)) throw new CommandFailed('', EXIT.wrong);
    });
}
