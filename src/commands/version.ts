/** Which version of Snowgate this is, from the package.json above this file. */
import { existsSync, readFileSync } from 'node:fs';

const manifest = (): URL => {
  // In a checkout it is one folder above src/, in the package one above dist/src/.
  const near = new URL('../../package.json', import.meta.url);
  return existsSync(near) ? near : new URL('../../../package.json', import.meta.url);
};

/** The version, such as `1.2.3`. */
export function version(): string {
  const { version: own } = JSON.parse(readFileSync(manifest(), 'utf8')) as { version: string };
  return own;
}
