/** The command line: what it tells people and machines, and the exit codes that scripts go by. */
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { expect, onTestFinished, test } from 'vitest';
import { run, start } from '../kit/command.ts';
import { ask } from '../kit/gateway.ts';
import { folderOf } from '../kit/plugin.ts';

const YAML = `listen: 127.0.0.1:0
admin: 127.0.0.1:0
upstreams:
  stable: { targets: { "http://10.0.0.1:80": 3, "http://10.0.0.2:80": 1 } }
  canary: { targets: { "http://10.0.0.3:80": 1 } }
routes:
  - { name: orders, path: "/orders/{id}", methods: [GET], upstream: { stable: 90, canary: 10 } }
  - { name: hello, path: /hello, plugins: { respond: { status: 200, body: hello } } }
`;

const project = (yaml = YAML) => {
  const folder = folderOf({ 'gateway.yaml': yaml });
  return { folder, options: { cwd: folder.path } };
};

test('without arguments it teaches, and a wrong word is told with the right one', async () => {
  const { options } = project();
  const help = await run(['--help'], options);
  expect(help.code).toBe(0);
  for (const command of ['start', 'check', 'explain', 'routes', 'id', 'token', 'schema']) {
    expect(help.out).toMatch(new RegExp(`^  ${command} `, 'm'));
  }
  expect(await run(['chekc'], options)).toMatchObject({ code: 2, err: expect.stringContaining('check') });
  expect((await run(['start', '--loud'], options)).code).toBe(2);
});

test('check tells all errors with their places and remedies, and ends with 1', async () => {
  const { options } = project(YAML.replace('methods', 'metods').replace('canary: 10', 'canery: 10'));
  const { code, err } = await run(['check'], options);
  expect(code).toBe(1);
  expect(err).toMatch(/gateway\.yaml:7:43/);
  expect(err).toContain('Did you mean `methods`?');
  expect(err).toContain('canery');
  const json = await run(['check', '--json'], options);
  expect(json.code).toBe(1);
  expect(JSON.parse(json.out)).toMatchObject({ ok: false, issues: [{ severity: 'error' }, {}] });

  const good = project();
  expect(await run(['check'], good.options)).toMatchObject({ code: 0, err: '' });
});

test('explain tells the way, the shares and the parameters, and of a near miss what it missed by', async () => {
  const { options } = project();
  const found = await run(['explain', 'GET', '/orders/7'], options);
  expect(found.code).toBe(0);
  for (const part of ['orders', 'id=7', '90%', '10.0.0.1:80 (75%)', '10.0.0.3:80 (100%)']) {
    expect(found.out).toContain(part);
  }
  const missed = await run(['explain', 'POST', '/orders/7', '--json'], options);
  expect(missed.code).toBe(1);
  expect(JSON.parse(missed.out)).toMatchObject({ outcome: 'method', allow: ['GET', 'HEAD'] });
  expect((await run(['explain', 'GET', '/nothing'], options)).code).toBe(1);
  expect((await run(['explain', 'GET', 'nonsense'], options)).code).toBe(2);
});

test('routes lists them for people and for machines', async () => {
  const { options } = project();
  expect((await run(['routes'], options)).out).toMatch(/GET +\/orders\/\{id\} .*stable 90%, canary 10%/);
  const listed = JSON.parse((await run(['routes', '--json'], options)).out);
  expect(listed.map((route: { name: string }) => route.name)).toEqual(['orders', 'hello']);
});

test('id makes trace IDs that it can take apart again', async () => {
  const { options } = project();
  const before = Date.now();
  const made = await run(['id', '-n', '3', '--worker', '7', '--datacenter', '2'], options);
  const ids = made.out.trim().split('\n');
  expect(ids).toHaveLength(3);
  expect(ids.map(BigInt).every((id, at) => at === 0 || id > BigInt(ids[at - 1]!))).toBe(true);
  const parts = JSON.parse((await run(['id', ids[0]!, '--json'], options)).out);
  expect(parts).toMatchObject({ worker: 7, datacenter: 2 });
  expect(parts.timeMs).toBeGreaterThanOrEqual(before);
  expect((await run(['id', 'x'], options)).code).toBe(2);
  expect((await run(['id', '-n', '0'], options)).code).toBe(2);
});

test('token mints what its public key set verifies, with the same key each time', async () => {
  const { folder, options } = project();
  const minted = await run(['token', '--sub', 'alice', '--aud', 'orders', '--claim', 'admin=true'], options);
  const jwks = JSON.parse(readFileSync(join(folder.path, '.snowgate/dev-jwks.json'), 'utf8'));
  const verified = (text: string) =>
    jwtVerify(text.trim(), createLocalJWKSet(jwks), { audience: 'orders', algorithms: ['ES256'] });
  expect((await verified(minted.out)).payload).toMatchObject({ sub: 'alice', admin: true });
  const again = await run(['token', '--aud', 'orders'], options);
  expect((await verified(again.out)).protectedHeader.kid).toBe(jwks.keys[0].kid);
});

test('schema prints what stands in the repository', async () => {
  const { options } = project();
  const kept = fileURLToPath(new URL('../../gateway.schema.json', import.meta.url));
  expect(JSON.parse((await run(['schema'], options)).out)).toEqual(JSON.parse(readFileSync(kept, 'utf8')));
});

test('a reader that stops reading is no fault', async () => {
  const { options } = project();
  const printing = start(['schema'], options);
  printing.process.stdout!.destroy();
  expect(await printing.ended()).toMatchObject({ code: 0, err: '' });
});

test('start refuses a bad file at once, and a good one serves until it is told to stop', async () => {
  const bad = project('routes: 5\n');
  const refused = await run(['start'], bad.options);
  expect(refused).toMatchObject({ code: 1, err: expect.stringMatching(/gateway\.yaml:1:\d/) });

  const { folder, options } = project();
  const gateway = start(['start'], options);
  const [, port] = await gateway.says(/"listen":\["127\.0\.0\.1:(\d+)"\]/);
  const hello = async () => (await ask('/hello', { port: Number(port) })).body;
  expect(await hello()).toBe('hello');
  folder.write('gateway.yaml', YAML.replace('body: hello', 'body: changed'));
  gateway.process.kill('SIGHUP');
  await expect.poll(hello).toBe('changed');
  gateway.process.kill('SIGTERM');
  const { code, out } = await gateway.ended();
  expect(code).toBe(0);
  const paths = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { log: string; path?: string })
    .filter((line) => line.log === 'access');
  expect(paths.length).toBeGreaterThan(1);
});

test('start says what to do where an address is taken, and gets the admin one as soon as it is free', async () => {
  const taken = createServer();
  onTestFinished(() => void taken.close());
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;

  const refused = await run(
    ['start'],
    project(YAML.replace('listen: 127.0.0.1:0', `listen: 127.0.0.1:${port}`)).options,
  );
  expect(refused).toMatchObject({
    code: 1,
    err: expect.stringContaining('gateway.yaml:1:9 error: cannot listen on'),
  });
  expect(refused.err).toContain(`ss -ltnp sport = :${port}`);

  const gateway = start(
    ['start'],
    project(YAML.replace('admin: 127.0.0.1:0', `admin: 127.0.0.1:${port}`)).options,
  );
  await gateway.says(/no metrics and no probes for now.*in use by another process/);
  await gateway.says(/the gateway serves/);
  taken.close();
  await gateway.says(/the admin server listens now/);
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  gateway.process.kill('SIGTERM');
  expect((await gateway.ended()).code).toBe(0);
});
