/** The command `snowgate token`: mints a JSON Web Token to try a protected route with. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { parseDuration } from '../kernel/units.ts';
import { CommandFailed, print, printError, printJson } from './terminal.ts';

const ALGORITHM = 'ES256';
const KEY_FILE = 'dev-key.json';
const PUBLIC_FILE = 'dev-jwks.json';

interface Options {
  readonly sub: string;
  readonly iss: string;
  readonly aud?: string;
  readonly claim: Record<string, unknown>;
  readonly expires: number;
  readonly keys: string;
  readonly json?: boolean;
}

const duration = (text: string): number => {
  const ms = parseDuration(text);
  if (ms === null) throw new InvalidArgumentError('It must be a duration such as 30m or 1h.');
  return ms;
};

/** `name=value`; the value is JSON where it reads as such, else text. */
const collectClaim = (text: string, before: Record<string, unknown>): Record<string, unknown> => {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be name=value.');
  const value = text.slice(at + 1);
  return { ...before, [text.slice(0, at)]: asJson(value) };
};

const asJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
};

const createKey = async (folder: string): Promise<JWK> => {
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const own = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(own);
  const key = { ...(await exportJWK(privateKey)), kid, alg: ALGORITHM };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, KEY_FILE), JSON.stringify(key), { mode: 0o600 });
  const shown = { keys: [{ ...own, kid, alg: ALGORITHM, use: 'sig' }] };
  writeFileSync(join(folder, PUBLIC_FILE), `${JSON.stringify(shown, null, 2)}\n`);
  printError(`made a key for development; its public half is in ${join(folder, PUBLIC_FILE)}`);
  return key;
};

const readKey = (folder: string): JWK => {
  const file = join(folder, KEY_FILE);
  const key = asJson(readFileSync(file, 'utf8'));
  if (typeof key === 'object' && key !== null && 'kid' in key) return key as JWK;
  throw new CommandFailed(`${file} holds no key; remove it, and the next call makes a new one.`);
};

const mint = async (options: Options) => {
  const key = existsSync(join(options.keys, KEY_FILE))
    ? readKey(options.keys)
    : await createKey(options.keys);
  const token = new SignJWT(options.claim)
    .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT', kid: key.kid! })
    .setSubject(options.sub)
    .setIssuer(options.iss)
    .setIssuedAt()
    .setExpirationTime(new Date(Date.now() + options.expires));
  if (options.aud !== undefined) token.setAudience(options.aud);
  return token.sign(await importJWK(key, ALGORITHM));
};

/** Makes the command. */
export function tokenCommand(): Command {
  return new Command('token')
    .summary('mint a JSON Web Token for development')
    .description(
      'Signs a token with a key of its own, made at the first call and kept under --keys, where the public half\n' +
        `lies as a key set (${PUBLIC_FILE}). For trying things out: no production gateway should trust that key.`,
    )
    .option('--sub <subject>', 'the subject', 'developer')
    .option('--iss <issuer>', 'the issuer', 'https://snowgate.invalid/')
    .option('--aud <audience>', 'the audience')
    .addOption(
      new Option('--claim <name=value>', 'another claim; may be given again')
        .argParser(collectClaim)
        .default({}, 'none'),
    )
    .addOption(
      new Option('--expires <duration>', 'how long it is valid').argParser(duration).default(3_600_000, '1h'),
    )
    .option('--keys <folder>', 'where the key is kept', '.snowgate')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExample:\n  curl -H "authorization: Bearer $(snowgate token --sub alice --aud orders)" localhost:8080/orders',
    )
    .action(async (options: Options) => {
      const token = await mint(options);
      if (options.json) printJson({ token, jwks: join(options.keys, PUBLIC_FILE) });
      else print(token);
    });
}
