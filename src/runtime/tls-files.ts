/** The files of a `tls` section, read when something is opened that needs them. */
import { readFileSync } from 'node:fs';
import type { ConfigPath, UpstreamTls } from '../config/types.ts';

/** A file that TLS needs and that cannot be read. */
export class UnreadableFile extends Error {
  readonly path: ConfigPath;

  constructor(path: ConfigPath, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.path = path;
  }
}

const readPem = (file: string | null, path: ConfigPath): string | null => {
  if (file === null) return null;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UnreadableFile(path, error);
  }
};

/**
 * The section with what its files hold in the place of their names.
 * @param path of the section, for messages
 * @throws UnreadableFile
 */
export function readTlsFiles(tls: UpstreamTls | null, path: ConfigPath): UpstreamTls | null {
  if (tls === null) return null;
  return {
    ca: readPem(tls.ca, [...path, 'ca']),
    cert: readPem(tls.cert, [...path, 'cert']),
    key: readPem(tls.key, [...path, 'key']),
    serverName: tls.serverName,
    verify: tls.verify,
  };
}
