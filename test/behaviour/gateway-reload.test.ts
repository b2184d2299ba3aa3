/** What changes, and what must not, when gateway.yaml is edited under traffic. */
import { Agent, request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { type Answer, startTestGateway, until } from '../kit/gateway.ts';
import { startEchoOrigin, startOrigin } from '../kit/gateway-origin.ts';

const keepAlive = (connections: number) => {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  onTestFinished(() => agent.destroy());
  return agent;
};

test('edits under load lose no request: each is answered by the old file or by the new one', async () => {
  const origins = [await startOrigin(), await startOrigin()];
  const yaml = (at: number) => `routes: [{ path: /**, upstream: ${origins[at % 2]!.url} }]\n`;
  const { ask, edit } = await startTestGateway(yaml(0));
  const agent = keepAlive(16);
  const answers: Answer[] = [];
  let over = false;
  const client = async () => {
    while (!over) answers.push(await ask('/', { agent }));
  };
  const clients = Array.from({ length: 16 }, client);
  for (let at = 1; at <= 6; at++) {
    const before = answers.length;
    await edit(yaml(at));
    await until(() => answers.length > before + 50, 'traffic on the new file');
  }
  over = true;
  await Promise.all(clients);
  expect(answers.filter((answer) => answer.status !== 200 || !answer.whole)).toEqual([]);
  expect(new Set(answers.map((answer) => answer.body))).toEqual(
    new Set(origins.map((origin) => String(origin.port))),
  );
  expect((await ask('/')).body).toBe(String(origins[0]!.port));
});

test('a bad file changes nothing, is told with its place, and shows in the metrics until it is mended', async () => {
  const origin = await startOrigin();
  const good = `routes: [{ path: /**, upstream: ${origin.url} }]\n`;
  const { ask, edit, spoil, series, gateway, log } = await startTestGateway(good);
  const [refusal] = await spoil(`rotes: [{ path: /**, upstream: ${origin.url} }]\n`);
  expect(JSON.stringify(refusal)).toMatch(/gateway\.yaml:3:1.*`rotes`.*Did you mean `routes`/);
  expect((await ask('/')).status).toBe(200);
  const spoilt = await series();
  expect(spoilt.get('snowgate_config_last_reload_successful')).toBe(0);
  expect(spoilt.get('snowgate_config_reloads_total{result="refused"}')).toBe(1);

  // Asked for by a signal or through the admin server, the same is told again.
  await expect(gateway.reload()).rejects.toThrow('rotes');
  expect(log.filter(({ msg }) => msg.includes('refused'))).toHaveLength(2);

  await edit(`# mended\n${good}`);
  expect((await series()).get('snowgate_config_last_reload_successful')).toBe(1);
});

test('an answer that flows goes on through a reload, though its upstream is in the file no more', async () => {
  let goOn = () => {};
  const slow = await startOrigin((_request, response) => {
    response.write('first ');
    goOn = () => response.end('last');
  });
  const other = await startOrigin();
  const { port, ask, edit } = await startTestGateway(`routes: [{ path: /**, upstream: ${slow.url} }]\n`);
  const body = await new Promise<string>((resolve, reject) => {
    request({ host: '127.0.0.1', port, agent: false }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.once('data', async () => {
        await edit(`routes: [{ path: /**, upstream: ${other.url} }]\n`);
        expect((await ask('/')).body).toBe(String(other.port));
        goOn();
      });
      incoming.on('data', (chunk: string) => {
        text += chunk;
      });
      incoming.on('error', reject);
      incoming.on('end', () => resolve(text));
    })
      .on('error', reject)
      .end();
  });
  expect(body).toBe('first last');
});

test('connections to an upstream that the edit leaves alone are used on', async () => {
  const origin = await startOrigin();
  const other = await startOrigin();
  const yaml = (extra: string) => `routes:\n  - { path: /a, upstream: ${origin.url} }\n${extra}`;
  const { ask, edit } = await startTestGateway(yaml(''));
  await ask('/a');
  const [before] = origin.sockets;
  await edit(yaml(`  - { path: /b, upstream: ${other.url} }\n`));
  await ask('/a');
  expect([...origin.sockets]).toEqual([before]);
});

test('a listener that moves takes new connections at its new place; a WebSocket of the old one lives on', async () => {
  const echo = await startEchoOrigin();
  const gate = await startTestGateway(`routes: [{ path: /**, upstream: ${echo.url} }]\n`);
  const before = gate.port;
  const socket = new WebSocket(`ws://127.0.0.1:${before}/`);
  onTestFinished(() => socket.terminate());
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const said = (text: string) =>
    new Promise<string>((resolve) => {
      socket.once('message', (data) => resolve(String(data)));
      socket.send(text);
    });
  expect(await said('one')).toBe('one');
  await gate.edit(`listen: localhost:0\nroutes: [{ path: /**, upstream: ${echo.url} }]\n`);
  expect(gate.port).not.toBe(before);
  expect((await gate.ask('/')).body).toBe('no upgrade');
  expect(await said('two')).toBe('two');
});
