/** HAProxy with one thread. */
import type { Peer, Ports } from '../lib/peer.ts';

/** HAProxy with the rest of its file after the first lines of `global`. */
export const haproxyWith = (rest: (ports: Ports) => string): Peer => ({
  name: 'haproxy',
  version: ['haproxy', '-v'],
  files: (ports) => ({ 'haproxy.cfg': `global\n  nbthread 1\n  maxconn 4096${rest(ports)}` }),
  command: (_ports, folder) => ['haproxy', '-db', '-f', `${folder}/haproxy.cfg`],
});

export const haproxy = haproxyWith(
  (ports) => `
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
);
