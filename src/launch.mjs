#!/usr/bin/env node
/** Starts the command line, or says in plain words that this Node is too old to read it. */
import { existsSync } from 'node:fs';
import * as module from 'node:module';
import { fileURLToPath } from 'node:url';

const NEEDED = [26, 5, 1];
const have = process.versions.node.split('.').map(Number);
const behind = NEEDED.findIndex((part, at) => have[at] !== part);

if (behind !== -1 && have[behind] < NEEDED[behind]) {
  process.stderr.write(
    `Snowgate needs Node ${NEEDED.join('.')} or newer; this is ${process.versions.node}.\n` +
      'In a checkout, run "npm ci" first: it brings the right Node for "npm start".\n' +
      'Elsewhere, install a newer Node, or "npm install node@26" beside the package.\n',
  );
  process.exit(2);
}

// A package holds cli.js; a checkout cli.ts, which Node reads as it is, in half the time once it has done so before.
const built = new URL('./cli.js', import.meta.url);
const packed = existsSync(built);
if (!packed)
  module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/snowgate', import.meta.url)));
const { main } = await import(packed ? built.href : new URL('./cli.ts', import.meta.url).href);
process.exitCode = await main(process.argv.slice(2));
