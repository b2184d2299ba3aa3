/** What `snowgate start` says on a terminal: where it listens, which routes there are, what to try. */
import type { Gateway } from '../runtime/gateway.ts';
import { routesTable } from './route-text.ts';
import { paint } from './terminal.ts';
import { version } from './version.ts';

interface About {
  /** The admin server's URL, if there is one. */
  readonly admin: string | null;
  /** Also print requests that fit the repository's own file. */
  readonly tryOut: boolean;
}

const urlOf = ({ host, port }: { host: string; port: number }) => {
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}`;
};

const tries = (base: string): string[] => [
  '',
  'Try:',
  `  curl -i ${base}/orders/7        ${paint('dim', 'three in four go to v1, the rest to v2')}`,
  `  curl -i ${base}/old/orders      ${paint('dim', 'a plugin answers with a redirect')}`,
  `  curl -i ${base}/broken          ${paint('dim', 'an upstream that is down, and what a client sees of it')}`,
  '',
  paint('dim', 'Edit gateway.yaml meanwhile: a good change is in force at once. Ctrl-C stops.'),
];

/** The text, over several lines. */
export function banner(gateway: Gateway, about: About): string {
  const urls = gateway.listeners.open.map(urlOf);
  const lines = ['', `${paint('bold', 'Snowgate')} ${version()}`, `  listens on  ${urls.join(', ')}`];
  if (about.admin !== null) lines.push(`  admin       ${about.admin}  (/metrics, /readyz, /routes)`);
  lines.push('', 'Routes:', routesTable(gateway.snapshot.plan.routes));
  if (about.tryOut) lines.push(...tries(urls[0] ?? ''));
  return `${lines.join('\n')}\n`;
}
