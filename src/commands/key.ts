/** The command `snowgate key`: makes an API key, or hashes a password, for the file that lists who may pass. */
import { hash, randomBytes, scryptSync } from 'node:crypto';
import { text as readText } from 'node:stream/consumers';
import { Command } from 'commander';
import { CommandFailed, EXIT, print, printError, printJson } from './terminal.ts';

/** So that whoever searches for leaked secrets finds these. */
const PREFIX = 'sgk_';
const KEY_BYTES = 32;
const COST = { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 27 };
const LEAST_CHARACTERS = 8;

const bare = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');

/** In the PHC string format, as the basic plugin reads it. */
const hashPassword = (password: string): string => {
  const salt = randomBytes(16);
  const derived = scryptSync(password, salt, 32, COST);
  return `$scrypt$ln=${Math.log2(COST.N)},r=${COST.r},p=${COST.p}$${bare(salt)}$${bare(derived)}`;
};

const printPassword = async (json: boolean) => {
  if (process.stdin.isTTY) printError('Type the password, then Enter and Ctrl-D; it is shown as you type.');
  const password = (await readText(process.stdin)).replace(/\r?\n$/, '');
  if (password.length < LEAST_CHARACTERS)
    throw new CommandFailed(
      `A password of ${LEAST_CHARACTERS} characters or more is needed on standard input.`,
      EXIT.usage,
    );
  const hashed = hashPassword(password);
  if (json) printJson({ hash: hashed });
  else print(hashed);
};

const printKey = (consumer: string, json: boolean) => {
  const key = `${PREFIX}${randomBytes(KEY_BYTES).toString('base64url')}`;
  const hashed = `sha256:${hash('sha256', key, 'hex')}`;
  if (json) {
    printJson({ key, hash: hashed });
    return;
  }
  printError('The key, for the client; it is shown this once:\n');
  print(key);
  printError(`\nIts hash, for the file of consumers:\n\n${consumer}:\n  keys: ["${hashed}"]`);
};

/** Makes the command. */
export function keyCommand(): Command {
  return new Command('key')
    .summary('make an API key, or hash a password')
    .description(
      'Makes an API key of 32 random bytes and prints it once, with its hash and the lines for the file that the\n' +
        'api-key plugin reads. With --password, reads a password from standard input and prints its scrypt hash for\n' +
        'the basic plugin. Nothing is kept.',
    )
    .argument('[consumer]', 'who the key is for', 'consumer')
    .option('--password', 'hash the password on standard input instead')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  snowgate key acme\n  snowgate key --password < password.txt')
    .action(async (consumer: string, options: { password?: boolean; json?: boolean }) => {
      if (options.password === true) await printPassword(options.json === true);
      else printKey(consumer, options.json === true);
    });
}
