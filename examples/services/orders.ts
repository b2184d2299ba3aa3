/** A small orders service: says which instance answered and how loaded it is, and can be told to be slow or to fail. */
import { createServer } from 'node:http';

const port = Number(process.argv[2] ?? 9001);
const version = process.argv[3] ?? 'v1';

/** Requests a second that it says it can do, until it is told otherwise. */
let capacity = Number(process.argv[4] ?? 100);
let rps = 1;
let served = 0;
setInterval(() => {
  rps = Math.max(1, served);
  served = 0;
}, 1000);

createServer(async (request, response) => {
  const url = new URL(request.url ?? '/', 'http://orders');
  served++;
  capacity = Number(url.searchParams.get('capacity') ?? capacity) || 1;
  const delayMs = Math.min(Number(url.searchParams.get('delayMs') ?? 0), 60_000);
  if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
  const status = Number(url.searchParams.get('status') ?? 200);
  response.setHeader(
    'endpoint-load-metrics',
    `TEXT rps_fractional=${rps}, cpu_utilization=${rps / capacity}`,
  );
  response.writeHead(status >= 200 && status <= 599 ? status : 400, { 'content-type': 'application/json' });
  const seen = {
    service: 'orders',
    version,
    port,
    method: request.method,
    path: url.pathname,
    traceId: request.headers['x-trace-id'],
    client: request.headers['x-forwarded-for'],
    user: request.headers['x-user'],
  };
  response.end(`${JSON.stringify(seen)}\n`);
}).listen(port, '127.0.0.1');
