/** What `npm start` runs: small services as processes of their own, then the gateway in front of them. */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';

const cwd = fileURLToPath(new URL('..', import.meta.url));
// What is wrong in the file is the gateway's to say.
const { listen = '127.0.0.1:8080', admin = '127.0.0.1:8081' } =
  parseDocument(readFileSync(`${cwd}gateway.yaml`, 'utf8')).toJS() ?? {};
const gatewayUrl = `http://${[listen].flat()[0]}`;

const SERVICES = [
  { name: 'orders', port: 9001, args: ['v1', '300'] },
  { name: 'orders', port: 9002, args: ['v2', '100'] },
  { name: 'echo', port: 9003, args: [] },
  { name: 'users', port: 9004, args: [] },
  { name: 'banners', port: 9005, args: [] },
];

const TRY = `
Try, in another terminal:
  curl -i ${gatewayUrl}/orders/7     # 200: three in four go to v1, the rest to v2
  curl -i ${gatewayUrl}/home/alice   # 200: three services, one answer
  curl -i ${gatewayUrl}/home/carol   # 200, and snowgate-partial: her banners come too late
  curl -i ${gatewayUrl}/account/7    # 401: here a token is needed
  AUTH="authorization: Bearer $(npm run -s snowgate -- token --sub alice)"
  curl -i -H "$AUTH" ${gatewayUrl}/account/7              # 200: the service is told who asks
  curl -i -H "$AUTH" -X DELETE ${gatewayUrl}/account/7    # 403: no rule allows it without a scope
  curl -i -H "$AUTH" ${gatewayUrl}/account/[1-6]          # 429 after five in a row
  curl -i ${gatewayUrl}/broken       # 502: an upstream that is down, and what a client sees of it

Edit gateway.yaml or examples/services.yaml meanwhile: a good change is in force at once. Ctrl-C stops.
`;

const isFree = (port) =>
  new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

const inUse = [];
for (const { port } of SERVICES) if (!(await isFree(port))) inUse.push(port);
if (inUse.length > 0) {
  process.stderr.write(
    `The example services need the ports ${SERVICES.map(({ port }) => port).join(', ')} of 127.0.0.1; ` +
      `in use by another process: ${inUse.join(', ')}.\n` +
      'Is another `npm start` running? Stop it first. Else give them other ports, in examples/start.mjs and examples/services.yaml.\n',
  );
  process.exit(1);
}

// The key that tokens are signed with is made here once: one that came with the repository would be everybody's.
const launcher = ['src/launch.mjs'];
const key = spawnSync(process.execPath, [...launcher, 'token'], {
  cwd,
  stdio: ['ignore', 'ignore', 'inherit'],
});
if (key.status !== 0) process.exit(key.status ?? 1);

// Groups of their own: Ctrl-C comes here only, so that the services outlive the requests that the gateway lets finish.
const run = (args) =>
  spawn(process.execPath, args, { cwd, detached: true, stdio: ['ignore', 'inherit', 'inherit'] });
const services = SERVICES.map(({ name, port, args }) =>
  run([`examples/services/${name}.ts`, `${port}`, ...args]),
);
const gateway = run([...launcher, 'start', '--banner']);

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => gateway.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal));
// npm ends at SIGTERM without a word to what it runs.
const npm = process.env.npm_lifecycle_event === undefined ? null : process.ppid;
const watch = setInterval(() => {
  if (npm === null || process.ppid === npm) return;
  clearInterval(watch);
  gateway.kill('SIGTERM');
}, 500);
gateway.on('exit', (code) => {
  clearInterval(watch);
  for (const each of services) each.kill();
  process.exitCode = code ?? 1;
});

const ready = () =>
  fetch(`http://${admin}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );
for (let tries = 0; tries < 50 && gateway.exitCode === null && !(await ready()); tries++)
  await new Promise((resolve) => setTimeout(resolve, 100));
if (gateway.exitCode === null) process.stderr.write(TRY);
