/** HAProxy with one thread. */
import type { Peer } from '../lib/peer.ts';

export const haproxy: Peer = {
  name: 'haproxy',
  version: ['haproxy', '-v'],
  files: (ports) => ({
    'haproxy.cfg': `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  http-reuse always
  timeout connect 1s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:${ports.own}
  default_backend origin
backend origin
  server one 127.0.0.1:${ports.origin}
`,
  }),
  command: (_ports, folder) => ['haproxy', '-db', '-f', `${folder}/haproxy.cfg`],
};
