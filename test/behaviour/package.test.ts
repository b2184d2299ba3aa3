/** The package in an empty folder: its command, its built-in plugins, and a user's own beside gateway.yaml. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run, start } from '../kit/command.ts';
import { ask } from '../kit/gateway.ts';
import { installPackage } from '../kit/package.ts';
import { folderOf } from '../kit/plugin.ts';

const HELLO = `
import { definePlugin, z } from 'snowgate/plugin';
import { word } from './lib/word.ts';
export default definePlugin({
  name: 'hello',
  summary: 'Greets.',
  config: z.strictObject({ whom: z.string() }),
  setup: ({ whom }) => ({ response(_x, reply) { reply.fields['x-hello'] = word + whom; } }),
});
`;

const GATEWAY = `
listen: 127.0.0.1:0
admin: off
routes:
  - path: /**
    plugins: { hello: { whom: world }, respond: { status: 200, body: good day } }
`;

test('installed where npm init -y was run, it checks, serves and reloads with a plugin of the user’s', async () => {
  const folder = folderOf({
    'package.json': '{"name":"project","version":"1.0.0","main":"index.js","type":"commonjs"}',
    'gateway.yaml': GATEWAY,
    'plugins/hello.ts': HELLO,
    'plugins/lib/word.ts': `export const word: string = 'dear ';`,
  });
  const program = join(installPackage(folder.path), 'dist/src/launch.mjs');
  const options = { cwd: folder.path, program };
  expect(await run(['check'], options)).toMatchObject({ code: 0, err: '' });

  const gateway = start(['start'], options);
  const [, port] = await gateway.says(/"listen":\["127\.0\.0\.1:(\d+)"\]/);
  const greeted = async () => {
    const { status, body, headers } = await ask('/', { port: Number(port) });
    return [status, body, headers['x-hello']];
  };
  expect(await greeted()).toEqual([200, 'good day', 'dear world']);
  folder.write('plugins/lib/word.ts', `export const word: string = 'wide ';`);
  await expect.poll(greeted).toEqual([200, 'good day', 'wide world']);

  gateway.process.kill('SIGTERM');
  expect((await gateway.ended()).code).toBe(0);
});
