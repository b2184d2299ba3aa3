/** A Redis that keeps nothing on disk, beside the load. */
import type { Peer } from '../lib/peer.ts';

export const redis: Peer = {
  name: 'redis',
  version: ['redis-server', '--version'],
  files: () => ({}),
  command: (ports, folder) => [
    'redis-server',
    ...[
      '--port',
      String(ports.own),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      folder,
    ],
  ],
};
