/** A bare http-proxy-3, the way its own README shows it, with a keep-alive agent. */
import { fileURLToPath } from 'node:url';
import type { Peer } from '../lib/peer.ts';

const script = (name: string) => fileURLToPath(new URL(`../programs/${name}`, import.meta.url));

export const httpProxy: Peer = {
  name: 'http-proxy-3',
  version: [process.execPath, '--version'],
  files: () => ({}),
  command: (ports) => [process.execPath, script('http-proxy.ts'), String(ports.own), String(ports.origin)],
};

/** node:http that answers by itself: what the front alone costs. */
export const nodeHttp: Peer = {
  name: 'node:http alone',
  version: [process.execPath, '--version'],
  files: () => ({}),
  command: (ports) => [process.execPath, script('node-http.ts'), String(ports.own)],
};

/** node:http and undici's dispatch, and nothing between: the floor under Snowgate. */
export const nodeFloor: Peer = {
  name: 'node:http + undici',
  version: [process.execPath, '--version'],
  files: () => ({}),
  command: (ports) => [process.execPath, script('node-floor.ts'), String(ports.own), String(ports.origin)],
};
