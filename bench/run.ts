/** Bare proxying: what a request costs in each peer that is installed. */
import { asked, compare } from './lib/compare.ts';
import { caddy } from './peers/caddy.ts';
import { envoy } from './peers/envoy.ts';
import { haproxy } from './peers/haproxy.ts';
import { httpProxy, nodeFloor, nodeHttp } from './peers/http-proxy.ts';
import { nginx } from './peers/nginx.ts';
import { layers, snowgate } from './peers/snowgate.ts';

const more = asked.layers ? [...layers, nodeFloor, nodeHttp] : [];
await compare({
  name: 'latest',
  peers: [nginx, haproxy, envoy, caddy, httpProxy, snowgate, ...more],
});
