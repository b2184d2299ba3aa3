/** Builds the servers that tests need and no package brings, once, into a cache outside the checkout. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CONSUL_BUILT } from '../test/kit/consul.ts';
import { EUREKA_BUILT } from '../test/kit/eureka.ts';
import { onPath } from '../test/kit/server-cache.ts';

const kit = join(import.meta.dirname, '../test/kit');

interface Server {
  readonly name: string;
  /** A file or folder that is there once it has been built. */
  readonly built: string;
  readonly tools: readonly string[];
  readonly takes: string;
  /** The command that builds into `output`, and where to run it. */
  build(output: string): { readonly folder: string; readonly command: readonly string[] };
}

const SERVERS: readonly Server[] = [
  {
    name: 'consul',
    built: CONSUL_BUILT,
    tools: ['go'],
    takes: 'about 5 minutes and 3 GB',
    build: (output) => ({
      folder: join(kit, 'consul'),
      command: ['go', 'build', '-trimpath', '-buildvcs=false', '-o', output, 'github.com/hashicorp/consul'],
    }),
  },
  {
    name: 'eureka',
    built: EUREKA_BUILT,
    tools: ['mvn', 'javac'],
    takes: 'about 20 seconds and 60 MB',
    build: (output) => ({
      folder: join(kit, 'eureka'),
      command: ['mvn', '-q', '-B', `-Doutput=${output}`, 'compile', 'dependency:copy-dependencies'],
    }),
  },
];

const say = (line: string) => process.stdout.write(`${line}\n`);

const missingTools = (server: Server) => server.tools.filter((tool) => onPath(tool) === null);

/** Builds beside the place and then moves, so that a build that was cut leaves nothing half. */
const build = (server: Server): boolean => {
  say(`${server.name}: building it into ${server.built}, which takes ${server.takes}, once`);
  const output = `${server.built}.${process.pid}`;
  mkdirSync(dirname(output), { recursive: true });
  const { folder, command } = server.build(output);
  const [program = '', ...args] = command;
  const { status } = spawnSync(program, args, { cwd: folder, stdio: 'inherit' });
  if (status === 0 && !existsSync(server.built)) renameSync(output, server.built);
  rmSync(output, { recursive: true, force: true });
  return existsSync(server.built);
};

let failed = false;
for (const server of SERVERS) {
  if (onPath(server.name) !== null || existsSync(server.built)) continue;
  const missing = missingTools(server);
  if (missing.length > 0)
    say(`${server.name}: not built, ${missing.join(' and ')} missing; its tests are skipped`);
  else if (!build(server)) {
    say(`${server.name}: could not be built; its tests are skipped`);
    failed = true;
  }
}
if (failed && process.env.CI === 'true') process.exitCode = 1;
