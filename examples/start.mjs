/** What `npm start` runs: small services as processes of their own, then the gateway in front of them. */
import { execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const launcher = `${root}src/launch.mjs`;
const GATEWAY = 'http://127.0.0.1:8080';
const ADMIN = 'http://127.0.0.1:8081';

const run = (args) => spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
const service = (name, ...args) => run([`${root}examples/services/${name}.ts`, ...args]);

const TRY = `Try, in another terminal:
  curl -i ${GATEWAY}/orders/7     # 200: three in four go to v1, the rest to v2
  curl -i ${GATEWAY}/home/alice   # 200: three services, one answer
  curl -i ${GATEWAY}/home/carol   # 200, and snowgate-partial: her banners come too late
  curl -i ${GATEWAY}/account/7    # 401: here a token is needed
  AUTH="authorization: Bearer $(npm run -s snowgate -- token --sub alice)"
  curl -i -H "$AUTH" ${GATEWAY}/account/7              # 200: the service is told who asks
  curl -i -H "$AUTH" -X DELETE ${GATEWAY}/account/7    # 403: no rule allows it without a scope
  curl -i -H "$AUTH" ${GATEWAY}/account/[1-6]          # 429 after five in a row
  curl -i ${GATEWAY}/broken       # 502: an upstream that is down, and what a client sees of it

Edit gateway.yaml or examples/services.yaml meanwhile: a good change is in force at once. Ctrl-C stops.
`;

// The key that tokens are signed with is made here once: one that came with the repository would be everybody's.
execFileSync(process.execPath, [launcher, 'token'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });

const services = [
  service('orders', '9001', 'v1', '300'),
  service('orders', '9002', 'v2', '100'),
  service('echo', '9003'),
  service('users', '9004'),
  service('banners', '9005'),
];
const gateway = run([launcher, 'start', `${root}gateway.yaml`, '--banner']);

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => gateway.kill(signal));
gateway.on('exit', (code) => {
  for (const each of services) each.kill();
  process.exitCode = code ?? 1;
});

const ready = () =>
  fetch(`${ADMIN}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );
while (gateway.exitCode === null && !(await ready()))
  await new Promise((resolve) => setTimeout(resolve, 100));
if (gateway.exitCode === null) process.stderr.write(`${TRY}\n`);
