/** Caddy with one processor. */
import type { Peer } from '../lib/peer.ts';

export const caddy: Peer = {
  name: 'caddy',
  version: ['caddy', 'version'],
  environment: { GOMAXPROCS: '1' },
  files: (ports) => ({
    Caddyfile: `
{
  admin off
  auto_https off
}
http://127.0.0.1:${ports.own} {
  reverse_proxy 127.0.0.1:${ports.origin} {
    transport http {
      keepalive_idle_conns_per_host 128
    }
  }
}
`,
  }),
  command: (_ports, folder) => ['caddy', 'run', '--config', `${folder}/Caddyfile`, '--adapter', 'caddyfile'],
};
