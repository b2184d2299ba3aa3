/** The gateway as users install it: packed by npm, unpacked into a project of theirs. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Puts the package into `node_modules/snowgate` of the project, with what it depends on; gives its folder. */
export function installPackage(project: string): string {
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', project], {
    cwd: root,
    encoding: 'utf8',
  });
  const home = join(project, 'node_modules/snowgate');
  mkdirSync(home, { recursive: true });
  const archive = join(project, packed.trim().split('\n').at(-1)!);
  execFileSync('tar', ['-xzf', archive, '--strip-components=1', '-C', home]);
  const { dependencies } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of Object.keys(dependencies)) {
    const link = join(project, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), link);
  }
  return home;
}
