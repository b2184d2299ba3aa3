/** Health checks against real servers: HTTP, TCP and gRPC, plain and by TLS, well and in every kind of trouble. */
import { once } from 'node:events';
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type Http2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { HealthOptions } from '../../src/config/resilience-options.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createWheel } from '../../src/kernel/wheel.ts';
import type { UpstreamTls } from '../../src/transport/connector.ts';
import { createProbe } from '../../src/transport/probes.ts';
import type { EndpointSpec } from '../../src/wire/endpoint.ts';
import { deadPort, startOrigin, startRawOrigin } from '../kit/gateway-origin.ts';
import { createBlackHole } from '../kit/origin.ts';
import { certificates } from '../kit/origin-tls.ts';

const OPTIONS: HealthOptions = {
  type: 'http',
  path: '/healthz?deep=1',
  port: null,
  host: null,
  headers: {},
  service: '',
  expect: [[200, 299]],
  intervalMs: 2000,
  timeoutMs: 2000,
  fall: 3,
  rise: 2,
  jitter: 0,
};

const specAt = (port: number, scheme: EndpointSpec['scheme'] = 'http'): EndpointSpec => ({
  scheme,
  host: '127.0.0.1',
  port,
  weight: 1,
});

const TLS = (ca: string | null): UpstreamTls => ({
  ca,
  cert: null,
  key: null,
  serverName: null,
  verify: true,
});

/** Asks so often as there are answers wanted; gives what was wrong each time. */
const ask = async (
  spec: EndpointSpec,
  options: Partial<HealthOptions> = {},
  { tls = null, times = 1 }: { tls?: UpstreamTls | null; times?: number } = {},
) => {
  const wheel = createWheel(systemClock, 5);
  const probe = createProbe({ spec, options: { ...OPTIONS, ...options }, tls, clock: systemClock, wheel });
  const problems: (string | null)[] = [];
  for (let n = 0; n < times; n++) problems.push(await new Promise((resolve) => probe.ask(resolve)));
  probe.close();
  wheel.stop();
  return times === 1 ? problems[0] : problems;
};

describe('by HTTP', () => {
  test('asks for the path with the headers, each time over a connection of its own', async () => {
    const ports = new Set<number>();
    const origin = await startOrigin((request, response) => {
      ports.add(request.socket.remotePort!);
      response.end('x'.repeat(100_000));
    });
    const options = { host: 'shop.example', headers: { 'x-probe': 'yes' } };
    expect(await ask(specAt(origin.port), options, { times: 3 })).toEqual([null, null, null]);
    expect(origin.reached[0]).toMatchObject({
      method: 'GET',
      url: '/healthz?deep=1',
      headers: { host: 'shop.example', 'x-probe': 'yes', 'user-agent': 'snowgate-health-check' },
    });
    expect(ports.size).toBe(3);
  });

  test.each([
    [204, [[200, 299]], null],
    [301, [[200, 299]], 'status 301'],
    [503, [[200, 299]], 'status 503'],
    [
      401,
      [
        [200, 299],
        [401, 401],
      ],
      null,
    ],
  ] as const)('status %i where %j is expected', async (status, wanted, problem) => {
    const origin = await startOrigin((_, response) => response.writeHead(status).end());
    expect(await ask(specAt(origin.port), { expect: wanted })).toBe(problem);
  });

  test('asks another port where one is named', async () => {
    const origin = await startOrigin();
    expect(await ask(specAt(await deadPort()), { port: origin.port })).toBeNull();
  });

  test('tells who refuses, who hangs, who is not there and who talks nonsense', async () => {
    const hung = await startOrigin(() => undefined);
    const nonsense = await startRawOrigin((socket) => void socket.end('hello\r\n\r\n'));
    const hole = await createBlackHole();
    onTestFinished(hole.close);
    expect(await ask(specAt(await deadPort()))).toMatch(/^GW_CONNECT_REFUSED: connect ECONNREFUSED/);
    expect(await ask(specAt(hung.port), { timeoutMs: 100 })).toMatch(/^GW_TIMEOUT/);
    expect(await ask(hole.spec, { timeoutMs: 100 })).toMatch(/^GW_(TIMEOUT|CONNECT_TIMEOUT)/);
    expect(await ask(specAt(nonsense.port))).toMatch(/^GW_UPSTREAM_PROTOCOL/);
  });

  test('goes by TLS as the endpoint itself', async () => {
    const { ca, server: pem } = certificates();
    const server = createHttps(pem, (_, response) => void response.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const spec = specAt((server.address() as AddressInfo).port, 'https');
    expect(await ask(spec, {}, { tls: TLS(ca), times: 2 })).toEqual([null, null]);
    expect(await ask(spec)).toMatch(/^GW_TLS_CERTIFICATE/);
  });

  test('says nothing any more once it is closed', async () => {
    const origin = await startOrigin(() => undefined);
    const wheel = createWheel(systemClock, 5);
    const spec = specAt(origin.port);
    const probe = createProbe({ spec, options: OPTIONS, tls: null, clock: systemClock, wheel });
    let told = 0;
    probe.ask(() => told++);
    await expect.poll(() => origin.reached.length).toBe(1);
    probe.close();
    await expect.poll(() => origin.sockets.size).toBe(0);
    wheel.stop();
    expect(told).toBe(0);
  });
});

describe('by TCP', () => {
  test('is content with a connection', async () => {
    const silent = await startRawOrigin(() => undefined);
    expect(await ask(specAt(silent.port), { type: 'tcp' }, { times: 2 })).toEqual([null, null]);
    await expect.poll(() => silent.sockets.size).toBe(0);
  });

  test('tells who refuses and who is not there', async () => {
    const hole = await createBlackHole();
    onTestFinished(hole.close);
    expect(await ask(specAt(await deadPort()), { type: 'tcp' })).toMatch(/^GW_CONNECT_REFUSED/);
    expect(await ask(hole.spec, { type: 'tcp', timeoutMs: 100 })).toBe('no connection in 100 ms');
  });
});

describe('by gRPC', () => {
  /** Answers Check for the services that serve; others are unknown. */
  const serve = (stream: ServerHttp2Stream, path: string, statuses: Readonly<Record<string, number>>) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const request = Buffer.concat(chunks);
      const message = request.subarray(5);
      const service = message.length === 0 ? '' : message.subarray(message[1]! > 127 ? 3 : 2).toString();
      const status = statuses[service];
      if (path !== '/grpc.health.v1.Health/Check' || status === undefined) {
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' },
          { endStream: true },
        );
        return;
      }
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.from(status === 0 ? [0, 0, 0, 0, 0] : [0, 0, 0, 0, 2, 8, status]));
    });
  };

  const start = async (server: Http2Server, statuses: Readonly<Record<string, number>>) => {
    const sessions = new Set<Http2Session>();
    server.on('session', (session: Http2Session) => sessions.add(session));
    server.on('stream', (stream, fields) => {
      stream.on('error', () => undefined);
      serve(stream as ServerHttp2Stream, String(fields[':path']), statuses);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      for (const session of sessions) session.destroy();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  };

  const LONG = `shop.${'Orders'.repeat(30)}`;
  const grpc = (service = ''): Partial<HealthOptions> => ({ type: 'grpc', service });

  test('asks for the server or for one service, short or long its name', async () => {
    const port = await start(createServer(), { '': 1, 'shop.Orders': 1, [LONG]: 1, down: 2, odd: 0 });
    expect(await ask(specAt(port), grpc(), { times: 2 })).toEqual([null, null]);
    expect(await ask(specAt(port), grpc('shop.Orders'))).toBeNull();
    expect(await ask(specAt(port), grpc(LONG))).toBeNull();
    expect(await ask(specAt(port), grpc('down'))).toBe('NOT_SERVING');
    expect(await ask(specAt(port), grpc('odd'))).toBe('UNKNOWN');
    expect(await ask(specAt(port), grpc('nobody'))).toBe('grpc-status 5');
  });

  test('goes by TLS with h2', async () => {
    const { ca, server: pem } = certificates();
    const port = await start(createSecureServer(pem), { '': 1 });
    expect(await ask(specAt(port, 'https'), grpc(), { tls: TLS(ca) })).toBeNull();
    expect(await ask(specAt(port, 'https'), grpc())).toMatch(/^GW_TLS_CERTIFICATE/);
  });

  test('tells who refuses, who hangs and who speaks something else', async () => {
    const silent = await startRawOrigin(() => undefined);
    const http = await startOrigin();
    const web = createServer((_, response) => response.end('hello'));
    const port = await start(web.removeAllListeners('stream'), {});
    expect(await ask(specAt(await deadPort()), grpc())).toMatch(/^GW_CONNECT_REFUSED/);
    expect(await ask(specAt(silent.port), { ...grpc(), timeoutMs: 100 })).toBe('no answer in 100 ms');
    expect(await ask(specAt(http.port), grpc())).not.toBeNull();
    expect(await ask(specAt(port), grpc())).not.toBeNull();
  });
});
