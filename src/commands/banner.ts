/** What `snowgate start` says on a terminal: where it listens and which routes there are. */
import type { Gateway } from '../runtime/gateway.ts';
import { routesTable } from './route-text.ts';
import { paint } from './terminal.ts';
import { version } from './version.ts';

const urlOf = ({ host, port }: { host: string; port: number }) => {
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}`;
};

/**
 * The text, over several lines.
 * @param admin the admin server's URL, if there is one
 */
export function banner(gateway: Gateway, admin: string | null): string {
  const urls = gateway.listeners.open.map(urlOf);
  const lines = ['', `${paint('bold', 'Snowgate')} ${version()}`, `  listens on  ${urls.join(', ')}`];
  if (admin !== null) lines.push(`  admin       ${admin}  (/metrics, /readyz, /routes)`);
  lines.push('', 'Routes:', routesTable(gateway.snapshot.plan.routes));
  return `${lines.join('\n')}\n`;
}
