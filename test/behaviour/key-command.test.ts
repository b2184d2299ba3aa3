/** `snowgate key`: what it prints is what the plugins take, and a file of consumers that changes is in force. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startTestGateway, until } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';

const program = fileURLToPath(new URL('../../src/launch.mjs', import.meta.url));

const run = async (args: readonly string[], input = '') => {
  const child = spawn(process.execPath, [program, 'key', ...args]);
  child.stdin.end(input);
  const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return {
    code: child.exitCode ?? (await new Promise<number>((done) => child.on('exit', done))),
    out,
    error,
  };
};

test('a key lets its consumer in as soon as its hash is in the file, and no longer than that', async () => {
  const origin = await startOrigin();
  const { key, hash } = JSON.parse((await run(['--json'])).out);
  expect(key).toMatch(/^sgk_[A-Za-z0-9_-]{43}$/);
  const gateway = await startTestGateway(
    `routes: [{ path: /**, upstream: "${origin.url}", plugins: { api-key: { consumers: ./consumers.yaml } } }]`,
    { 'consumers.yaml': `other: { keys: ["sha256:${'0'.repeat(64)}"] }\n` },
  );
  const status = async () => (await gateway.ask('/', { headers: { 'x-api-key': key } })).status;
  const write = async (content: string) => {
    const before = gateway.applied;
    gateway.write('consumers.yaml', content);
    await until(() => gateway.applied > before, 'the other consumers');
  };
  expect(await status()).toBe(401);
  await write(`acme: { keys: ["${hash}"], plan: pro }\n`);
  expect(await status()).toBe(200);
  expect(origin.reached[0]!.headers).not.toHaveProperty('x-api-key');
  expect(await gateway.line((line) => line.status === 200)).toMatchObject({ principal: 'acme' });
  gateway.write('consumers.yaml', 'acme: { keys: [oops] }\n');
  expect(JSON.stringify(await gateway.logged('is refused'))).toContain('consumers.yaml:1:16: acme.keys.0');
  expect(await status()).toBe(200);
  await write('{}\n');
  expect(await status()).toBe(401);
});

test('a password lets its user in by the hash that is printed', async () => {
  const origin = await startOrigin();
  const hash = (await run(['--password'], 'correct horse\n')).out.trim();
  const { ask } = await startTestGateway(
    `routes: [{ path: /**, upstream: "${origin.url}", plugins: { basic: { users: { ann: { password: "${hash}" } } } } }]`,
  );
  const authorization = `Basic ${Buffer.from('ann:correct horse').toString('base64')}`;
  expect((await ask('/', { headers: { authorization } })).status).toBe(200);
  expect((await ask('/')).status).toBe(401);
});

test('for people the key stands alone on standard output, the rest beside it', async () => {
  const { out, error, code } = await run(['acme']);
  expect([code, out]).toEqual([0, expect.stringMatching(/^sgk_[A-Za-z0-9_-]{43}\n$/)]);
  expect(error).toMatch(/acme:\n {2}keys: \["sha256:[0-9a-f]{64}"\]/);
  expect(await run(['--password'], 'short')).toMatchObject({ code: 2, out: '' });
});
