/** Snowgate as it comes, with trace ID, access log and metrics on, and with single layers off or on. */
import { fileURLToPath } from 'node:url';
import type { Peer, Ports } from '../lib/peer.ts';

const launcher = fileURLToPath(new URL('../../src/launch.mjs', import.meta.url));

/** Snowgate under a name, with the file that `yaml` gives besides its addresses. */
export const snowgateWith = (name: string, yaml: (ports: Ports) => string): Peer => ({
  name,
  version: [process.execPath, launcher, '--version'],
  files: (ports) => ({
    'gateway.yaml': `listen: 127.0.0.1:${ports.own}\nadmin: 127.0.0.1:${ports.own + 1000}\n${yaml(ports)}`,
  }),
  command: (_ports, folder) => [process.execPath, launcher, 'start', `${folder}/gateway.yaml`],
});

const bare = (name: string, extra = ''): Peer =>
  snowgateWith(
    name,
    (ports) => `
upstreams:
  origin: { targets: { "http://127.0.0.1:${ports.origin}": 1 } }
routes:
  - { path: /**, upstream: origin }
${extra}
`,
  );

export const snowgate = bare('snowgate');

/** What single features cost, against `snowgate`. */
export const layers: readonly Peer[] = [
  bare('snowgate without access log', 'log: { access: false }'),
  bare(
    'snowgate with two plugins',
    [
      'plugins:',
      '  headers: { response: { set: { x-content-type-options: nosniff } } }',
      '  ip-filter: { deny: [192.0.2.0/24] }',
    ].join('\n'),
  ),
];
