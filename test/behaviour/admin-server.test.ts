import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type Admin, createAdmin } from '../../src/admin/admin.ts';
import type { AdminSources } from '../../src/admin/sources.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
let admin: Admin | null = null;
afterEach(async () => {
  await admin?.close();
  admin = null;
});

interface Options {
  host?: string;
  token?: string | null;
  sources?: Partial<AdminSources>;
}

const start = async ({ host = '127.0.0.1', token = null, sources = {} }: Options = {}) => {
  const all: AdminSources = {
    metrics: async () => '# nothing\n',
    ready: () => ({ ready: true, why: [], degraded: [] }),
    routes: () => [{ name: 'orders' }],
    upstreams: () => [],
    endpoints: () => [],
    push: () => null,
    config: () => ({ listen: ':8080' }),
    version: () => ({ snowgate: '1.2.3' }),
    reload: async () => ({ ok: true, message: 'nothing changed' }),
    ...sources,
  };
  admin = createAdmin({ host, port: 0, token, sources: all, log: quiet });
  await admin.listen();
  return admin.port;
};

const ask = (port: number, path: string, init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${port}${path}`, init);

/** Sends the bytes as they are and gives all that comes back until the other side ends. */
const raw = async (port: number, bytes: string): Promise<string> => {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => {});
  socket.write(bytes);
  await once(socket, 'close');
  return text;
};

test('serves the metrics as Prometheus wants them', async () => {
  const port = await start();
  const answer = await ask(port, '/metrics');
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await answer.text()).toBe('# nothing\n');
});

test('is healthy as long as it answers, and ready when the gateway is', async () => {
  let ready = false;
  const port = await start({
    sources: { ready: () => ({ ready, why: ready ? [] : ['no worker number yet'], degraded: [] }) },
  });
  expect((await ask(port, '/healthz')).status).toBe(200);
  const before = await ask(port, '/readyz');
  expect(before.status).toBe(503);
  expect(await before.json()).toEqual({ ready: false, why: ['no worker number yet'], degraded: [] });
  ready = true;
  expect((await ask(port, '/readyz')).status).toBe(200);
});

test.each([
  ['/routes', [{ name: 'orders' }]],
  ['/upstreams', []],
  ['/config', { listen: ':8080' }],
  ['/version', { snowgate: '1.2.3' }],
])('%s gives JSON that nobody stores or sniffs', async (path, value) => {
  const port = await start();
  const answer = await ask(port, `${path}?x=1`);
  expect(answer.headers.get('content-type')).toBe('application/json');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  expect(await answer.json()).toEqual(value);
});

test('the page at / lists every resource', async () => {
  const port = await start();
  const page = await (await ask(port, '/')).text();
  for (const path of [
    '/metrics',
    '/healthz',
    '/readyz',
    '/routes',
    '/upstreams',
    '/config',
    '/version',
    '/reload',
  ]) {
    expect(page).toContain(path);
  }
});

test('HEAD has the head of GET and no body', async () => {
  const port = await start();
  const answer = await ask(port, '/version', { method: 'HEAD' });
  const full = await ask(port, '/version');
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-length')).toBe(String((await full.text()).length));
  expect(await answer.text()).toBe('');
});

test('reload says how it went', async () => {
  const results = [
    { ok: true, message: 'configuration 4 runs' },
    { ok: false, message: 'gateway.yaml:3:5 unknown key' },
  ];
  const port = await start({ sources: { reload: async () => results.shift()! } });
  const post = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const good = await ask(port, '/reload', post);
  expect(good.status).toBe(200);
  expect(await good.json()).toEqual({ ok: true, message: 'configuration 4 runs' });
  const bad = await ask(port, '/reload', post);
  expect(bad.status).toBe(422);
  expect(bad.headers.get('content-type')).toBe('application/problem+json');
  expect(await bad.json()).toMatchObject({ status: 422, detail: 'gateway.yaml:3:5 unknown key' });
});

test('a reload that nobody may ask for does not happen', async () => {
  let reloads = 0;
  const reload = async () => {
    reloads++;
    return { ok: true, message: '' };
  };
  const port = await start({ sources: { reload } });
  expect((await ask(port, '/reload')).status).toBe(405);
  expect((await ask(port, '/reload', { method: 'POST' })).status).toBe(415);
  const form = { method: 'POST', body: new URLSearchParams({ a: 'b' }) };
  expect((await ask(port, '/reload', form)).status).toBe(415);
  const headers = { 'content-type': 'application/json', origin: 'http://evil.example' };
  expect((await ask(port, '/reload', { method: 'POST', headers })).status).toBe(403);
  expect(reloads).toBe(0);
});

test('unknown paths and methods are told apart', async () => {
  const port = await start();
  expect((await ask(port, '/nothing')).status).toBe(404);
  expect((await ask(port, '/routes/')).status).toBe(404);
  expect((await ask(port, '/__proto__')).status).toBe(404);
  const wrong = await ask(port, '/routes', { method: 'DELETE' });
  expect(wrong.status).toBe(405);
  expect(wrong.headers.get('allow')).toBe('GET, HEAD');
  expect(wrong.headers.get('content-type')).toBe('application/problem+json');
});

test('a source that fails gives 500 without telling why, and the next request works', async () => {
  const port = await start({
    sources: {
      routes: () => {
        throw new Error('s3cret');
      },
    },
  });
  const answer = await ask(port, '/routes');
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain('s3cret');
  expect((await ask(port, '/version')).status).toBe(200);
});

test('listening beyond this machine, all but probes and metrics need the token', async () => {
  const port = await start({ host: '0.0.0.0', token: 'sesame' });
  expect((await ask(port, '/metrics')).status).toBe(200);
  const refused = await ask(port, '/config');
  expect(refused.status).toBe(401);
  expect(refused.headers.get('www-authenticate')).toContain('Bearer');
  expect((await ask(port, '/nothing')).status).toBe(401);
  const headers = { authorization: 'Bearer sesame' };
  expect((await ask(port, '/config', { headers })).status).toBe(200);
  expect((await ask(port, '/reload', { method: 'POST', headers })).status).toBe(200);
});

test('listening beyond this machine without a token, it says what to do', async () => {
  const port = await start({ host: '0.0.0.0' });
  const refused = await ask(port, '/config');
  expect(refused.status).toBe(403);
  expect(await refused.json()).toMatchObject({ detail: expect.stringContaining('127.0.0.1') });
});

test('a page whose name was pointed to this machine learns nothing', async () => {
  const port = await start();
  const answer = await raw(port, 'GET /config HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
  expect(answer).toMatch(/^HTTP\/1.1 421 /);
  expect(answer).not.toContain('listen');
});

test.each([
  ['no Host', 'GET /config HTTP/1.1\r\n\r\n', /^HTTP\/1.1 400 /],
  [
    'two Hosts',
    'GET /config HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n',
    /^HTTP\/1.1 400 /,
  ],
  ['garbage', '\u0016\u0003\u0001\u0000\r\n\r\n', /^HTTP\/1.1 400 /],
  [
    'a head past 8 KiB',
    `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(9000)}\r\n\r\n`,
    /^HTTP\/1.1 4\d\d /,
  ],
  [
    'a large body',
    `POST /reload HTTP/1.1\r\nHost: localhost\r\nX-Snowgate: 1\r\nContent-Length: 5000\r\n\r\n`,
    /^HTTP\/1.1 413 /,
  ],
  [
    'a chunked body',
    'POST /reload HTTP/1.1\r\nHost: localhost\r\nX-Snowgate: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    /^HTTP\/1.1 413 /,
  ],
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', /^(HTTP\/1.1 4|$)/],
  [
    'an upgrade',
    'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n',
    /^HTTP\/1.1 200 /,
  ],
])('%s is answered and the connection closed', async (_name, bytes, expected) => {
  const port = await start();
  expect(await raw(port, bytes)).toMatch(expected);
});

test('a connection is used again after a refused POST with a small body', async () => {
  const port = await start();
  const post = 'POST /reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na=b';
  const get = 'GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  const answers = await raw(port, post + get);
  expect(answers.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 415', 'HTTP/1.1 200']);
});

test('an address in use is an error of listen', async () => {
  const port = await start();
  const sources = {} as AdminSources;
  const second = createAdmin({ host: '127.0.0.1', port, token: null, sources, log: quiet });
  await expect(second.listen()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await second.close();
});

test('close lets an answer under way finish and takes nothing new', async () => {
  let finish = (_text: string) => {};
  const asked = Promise.withResolvers<void>();
  const metrics = () => {
    asked.resolve();
    return new Promise<string>((resolve) => {
      finish = resolve;
    });
  };
  const port = await start({ sources: { metrics } });
  const answer = ask(port, '/metrics');
  await asked.promise;
  const closed = admin!.close();
  finish('late but whole\n');
  expect(await (await answer).text()).toBe('late but whole\n');
  await closed;
  await expect(ask(port, '/healthz')).rejects.toThrow();
});

test('close does not wait for ever for an answer that never comes', async () => {
  const asked = Promise.withResolvers<void>();
  const metrics = () => {
    asked.resolve();
    return new Promise<string>(() => {});
  };
  const port = await start({ sources: { metrics } });
  const hanging = request({ port, host: '127.0.0.1', path: '/metrics' });
  const cut = once(hanging, 'error');
  hanging.end();
  await asked.promise;
  await admin!.close();
  await cut;
});
