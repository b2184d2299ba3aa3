/** Makes dist/, which the package holds: JavaScript and type declarations of src/ and plugins/. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

rmSync(`${root}dist`, { recursive: true, force: true });
execFileSync('tsc', ['-p', `${root}tsconfig.build.json`], { stdio: 'inherit' });
copyFileSync(`${root}src/launch.mjs`, `${root}dist/src/launch.mjs`);
chmodSync(`${root}dist/src/launch.mjs`, 0o755);
