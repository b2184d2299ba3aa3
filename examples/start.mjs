/** What `npm start` runs: three small services as processes of their own, then the gateway in front of them. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const run = (args) => spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });

const gateway = run([here('../src/launch.mjs'), 'start', here('../gateway.yaml'), '--try']);
const services = [
  run([here('services/orders.ts'), '9001', 'v1']),
  run([here('services/orders.ts'), '9002', 'v2']),
  run([here('services/echo.ts'), '9003']),
];

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => gateway.kill(signal));
gateway.on('exit', (code) => {
  for (const service of services) service.kill();
  process.exitCode = code ?? 1;
});
