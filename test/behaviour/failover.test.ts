/** An upstream that takes over for another, through the whole gateway: servers are killed and come back. */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startTestGateway } from '../kit/gateway.ts';
import { deadPort, startEchoOrigin, startOrigin } from '../kit/gateway-origin.ts';

const yaml = (first: string, next: string) => `
upstreams:
  orders: { targets: ["${first}"], failover: elsewhere }
  elsewhere: { targets: ["${next}"] }
routes: [{ name: shop, path: /**, upstream: orders }]
`;
const MOVED = 'snowgate_upstream_failovers_total{upstream="orders"}';

test('when the last endpoint dies, no request is lost, and the log and the metrics tell who answered', async () => {
  const [first, next] = [await startOrigin(), await startOrigin()];
  const gateway = await startTestGateway(yaml(first.url, next.url));
  expect((await gateway.ask('/before')).body).toBe(String(first.port));
  await first.close();
  for (let n = 0; n < 10; n++) {
    const answer = await gateway.ask('/after', { method: 'POST', body: `order ${n}` });
    expect([answer.status, answer.body]).toEqual([200, String(next.port)]);
  }
  expect(next.reached.map(({ body }) => body)).toEqual(Array.from({ length: 10 }, (_, n) => `order ${n}`));
  expect(await gateway.line(({ path }) => path === '/before')).toMatchObject({ upstream: 'orders' });
  expect(await gateway.line(({ path }) => path === '/after')).toMatchObject({
    upstream: 'elsewhere',
    endpoint: next.endpoint,
    code: '-',
  });
  expect((await gateway.series()).get(MOVED)).toBe(10);
});

test('when it is back, calls go there again', async () => {
  const next = await startOrigin();
  const port = await deadPort();
  const { ask } = await startTestGateway(yaml(`http://127.0.0.1:${port}`, next.url));
  expect((await ask('/')).body).toBe(String(next.port));
  await startOrigin(undefined, port);
  // What refused is left alone for a second.
  await expect.poll(async () => (await ask('/')).body, { timeout: 10_000 }).toBe(String(port));
});

test('while the breaker of the first is open, the next answers', async () => {
  const first = await startOrigin((_request, response) => void response.writeHead(500).end('broken'));
  const next = await startOrigin();
  const gateway = await startTestGateway(`
upstreams:
  orders:
    targets: ["${first.url}"]
    failover: elsewhere
    breaker: { minimum: 5, errorRate: 50%, window: 10s, openFor: 60s }
  elsewhere: { targets: ["${next.url}"] }
routes: [{ path: /**, upstream: orders }]
`);
  const statuses: number[] = [];
  for (let n = 0; n < 10; n++) statuses.push((await gateway.ask('/')).status);
  expect(statuses).toEqual([500, 500, 500, 500, 500, 200, 200, 200, 200, 200]);
  expect((await gateway.series()).get(MOVED)).toBe(5);
});

test('where nobody is left at all, the last failure is told', async () => {
  const ports = [await deadPort(), await deadPort()];
  const gateway = await startTestGateway(
    yaml(`http://127.0.0.1:${ports[0]}`, `http://127.0.0.1:${ports[1]}`),
  );
  const answer = await gateway.ask('/');
  expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, 'GW_CONNECT_REFUSED']);
});

test('a WebSocket is taken over too', async () => {
  const echo = await startEchoOrigin();
  const { port } = await startTestGateway(yaml(`http://127.0.0.1:${await deadPort()}`, echo.url));
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  await once(socket, 'open');
  socket.send('hello');
  const [data] = await once(socket, 'message');
  expect(String(data)).toBe('hello');
  socket.close();
  await once(socket, 'close');
});
