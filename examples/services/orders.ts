/** A small orders service: says which instance answered, and can be told to be slow or to fail. */
import { createServer } from 'node:http';

const port = Number(process.argv[2] ?? 9001);
const version = process.argv[3] ?? 'v1';

createServer(async (request, response) => {
  const url = new URL(request.url ?? '/', 'http://orders');
  const delayMs = Math.min(Number(url.searchParams.get('delayMs') ?? 0), 60_000);
  if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
  const status = Number(url.searchParams.get('status') ?? 200);
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
