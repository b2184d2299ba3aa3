/** Why an address cannot be listened on, and what to do about it. */

/** The code of a system error, such as `EADDRINUSE`; empty for other errors. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';

/** Both for people: `why` continues a sentence, `remedy` is one of its own. */
export function whyNotBound(error: unknown, port: number): { why: string; remedy: string | null } {
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return {
        why: 'the address is in use by another process',
        remedy: `Stop that process (\`ss -ltnp sport = :${port}\` tells which it is), or take another port.`,
      };
    case 'EACCES':
      return {
        why: `port ${port} needs a privilege that this process lacks`,
        remedy: 'Take a port above 1023, or give the process CAP_NET_BIND_SERVICE.',
      };
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return {
        why: 'this machine has no such address',
        remedy: 'Take one of those that `ip address` lists, or 0.0.0.0 for all of them.',
      };
    default:
      return { why: error instanceof Error ? error.message : String(error), remedy: null };
  }
}
