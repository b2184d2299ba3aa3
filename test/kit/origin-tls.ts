/** Certificates for tests, made by openssl when first asked for. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Pem {
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  /** The authority that signed the others. */
  readonly ca: string;
  /** For localhost and 127.0.0.1. */
  readonly server: Pem;
  /** For other.example only. */
  readonly other: Pem;
  /** Of a client. */
  readonly client: Pem;
}

let made: Certificates | null = null;

/** The same certificates for all tests of a process. */
export function certificates(): Certificates {
  made ??= make();
  return made;
}

const make = (): Certificates => {
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe', cwd: folder });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=Test CA',
  );
  const sign = (name: string, alternatives: string): Pem => {
    openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    writeFileSync(at(`${name}.ext`), `subjectAltName=${alternatives}\n`);
    const from = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', `${name}.ext`];
    openssl('x509', '-req', '-in', `${name}.csr`, ...from, '-out', `${name}.pem`, '-days', '2');
    return { cert: readFileSync(at(`${name}.pem`), 'utf8'), key: readFileSync(at(`${name}.key`), 'utf8') };
  };
  const result = {
    ca: readFileSync(at('ca.pem'), 'utf8'),
    server: sign('server', 'DNS:localhost,IP:127.0.0.1'),
    other: sign('other', 'DNS:other.example'),
    client: sign('client', 'DNS:client.example'),
  };
  rmSync(folder, { recursive: true });
  return result;
};
