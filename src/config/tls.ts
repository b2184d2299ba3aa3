/** TLS toward whatever the gateway connects to: the keys, and the files that they name. */
import type { z } from 'zod';
import { flag, text } from './forms.ts';
import type { Scope } from './scope.ts';
import { file, section } from './shapes.ts';
import type { ConfigPath, UpstreamTls } from './types.ts';

export const tls = section({
  ca: file().optional().describe('File with the certificates to trust instead of the usual ones (PEM).'),
  cert: file().optional().describe('File with the certificate that the gateway shows (PEM); needs `key`.'),
  key: file().optional().describe('File with the key of `cert` (PEM).'),
  serverName: text({ form: 'a name', max: 253 })
    .optional()
    .describe('Name to ask for and to check; default: the host of the target.'),
  verify: flag().prefault(true).describe('Check the certificate; false only for tests.'),
});

export type TlsInput = z.output<typeof tls>;

/** Reads a `tls` section: its files are checked, and named so that they are watched. */
export function readTls(scope: Scope, tls: TlsInput, path: ConfigPath): UpstreamTls {
  const { report, files } = scope;
  const name = (key: 'ca' | 'cert' | 'key'): string | null => {
    const value = tls[key];
    if (value === undefined) return null;
    const problem = files.check(value, report.show([...path, key], value));
    if (problem !== null) report.on([...path, key], problem);
    return files.absolute(value);
  };
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    const missing = tls.cert === undefined ? 'cert' : 'key';
    report.on(path, { message: `\`${missing}\` is missing`, remedy: '`cert` and `key` go together.' });
  }
  if (!tls.verify)
    report.warn([...path, 'verify'], {
      message: 'certificates are not checked: anybody in between can read and change the traffic',
      remedy: 'Name the issuer in `ca` instead.',
    });
  return {
    ca: name('ca'),
    cert: name('cert'),
    key: name('key'),
    serverName: tls.serverName ?? null,
    verify: tls.verify,
  };
}
