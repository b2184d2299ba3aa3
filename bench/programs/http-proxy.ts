/** Proxies everything to one origin by http-proxy-3's `web`. */
import { Agent, createServer } from 'node:http';
import { createProxyServer } from 'http-proxy-3';

const [own, origin] = process.argv.slice(2).map(Number) as [number, number];
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const proxy = createProxyServer({ target: `http://127.0.0.1:${origin}`, agent });
createServer((request, response) => proxy.web(request, response)).listen(own, '127.0.0.1');
