/** The command `snowgate endpoints`: what each registry gave a running gateway, when, and what is in use. */
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { meant } from '../config/suggest.ts';
import type { AdminAddress } from '../config/types.ts';
import type { Findings, FoundEndpoint } from '../runtime/endpoint-state.ts';
import { DEFAULT_FILE, issuesText } from './read.ts';
import { CommandFailed, columns, EXIT, paint, print, printJson } from './terminal.ts';

interface Options {
  readonly config: string;
  readonly json?: boolean;
}

const WAIT_MS = 5000;

const urlOf = ({ host, port }: AdminAddress): string => {
  // A gateway that listens everywhere listens here too.
  const near = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${near.includes(':') ? `[${near}]` : near}:${port}/endpoints`;
};

/** Asks the gateway that runs on this configuration. */
const ask = async (admin: AdminAddress): Promise<readonly Findings[]> => {
  const url = urlOf(admin);
  const headers = admin.token === null ? {} : { authorization: `Bearer ${admin.token}` };
  let answer: Response;
  try {
    answer = await fetch(url, { headers, signal: AbortSignal.timeout(WAIT_MS) });
  } catch {
    throw new CommandFailed(
      `No gateway answers at ${url}. Start it first; "snowgate explain" asks the registries by itself.`,
    );
  }
  if (!answer.ok) throw new CommandFailed(`The gateway at ${url} answers ${answer.status}.`);
  return (await answer.json()) as readonly Findings[];
};

const ORIGINS: Readonly<Record<Findings['from'], string>> = {
  configuration: 'named in the configuration',
  registry: 'from the registry',
  snapshot: 'from the snapshot of an earlier run',
  nothing: 'nothing known yet',
};

const headline = (found: Findings): string => {
  const source = found.registry === null ? '' : `  ${found.registry}/${found.service}`;
  const when = found.answeredAt === null ? '' : `, ${found.answeredAt}`;
  return `${paint('bold', found.upstream)}${source}  ${ORIGINS[found.from]}${when}`;
};

const trouble = (found: Findings): string[] => {
  const lines: string[] = [];
  if (found.failure !== null)
    lines.push(`the registry fails: ${found.failure}; what it said ${found.ageSeconds} s ago stays in use`);
  if (found.doubted !== null)
    lines.push(`its last answer has only ${found.doubted}, which waits to be confirmed`);
  if (found.why !== null) lines.push(`no endpoint: ${found.why}`);
  return lines.map((line) => `  ${paint('yellow', line)}`);
};

const use = ({ weight, available }: FoundEndpoint): string => {
  if (weight === 0) return 'drains';
  return available ? 'in use' : 'kept out';
};

const row = (each: FoundEndpoint): string[] => [
  each.endpoint,
  `weight ${each.weight}`,
  each.zone === null ? '' : `zone ${each.zone}`,
  use(each),
  each.id === null || each.id === each.endpoint ? '' : each.id,
];

const text = (findings: readonly Findings[]): string =>
  findings
    .map((found) =>
      [
        headline(found),
        ...trouble(found),
        ...(found.endpoints.length === 0 ? [] : [columns(found.endpoints.map(row))]),
      ].join('\n'),
    )
    .join('\n\n');

/** Makes the command. */
export function endpointsCommand(): Command {
  return new Command('endpoints')
    .summary('show the endpoints of a running gateway and where they come from')
    .description(
      'Asks the gateway that runs on this configuration, through its admin address, what each registry gave, when, and\n' +
        'which endpoints are in use. Exit code 1 when no gateway answers.',
    )
    .argument('[upstream]', 'only this one')
    .option('-c, --config <file>', 'the configuration', DEFAULT_FILE)
    .option('--json', 'print JSON')
    .action(async (upstream: string | undefined, options: Options) => {
      const loaded = loadConfig(options.config, process.env);
      if (loaded.config === null) throw new CommandFailed(issuesText(loaded.issues, loaded));
      const { admin, upstreams } = loaded.config;
      if (upstream !== undefined && upstreams[upstream] === undefined) {
        const remedy = meant(upstream, Object.keys(upstreams)) ?? '';
        throw new CommandFailed(`There is no upstream "${upstream}". ${remedy}`, EXIT.usage);
      }
      if (admin === null) throw new CommandFailed('The configuration has no admin address to ask.');
      const all = await ask(admin);
      const findings = all.filter((each) => upstream === undefined || each.upstream === upstream);
      if (options.json) printJson(findings);
      else print(findings.length === 0 ? 'There are no upstreams.' : text(findings));
    });
}
