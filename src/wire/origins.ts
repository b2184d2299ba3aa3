/** Origins of pages, as browsers send them in `Origin` (RFC 6454): which are well written, and which are meant. */

/** True for exactly what a browser sends, such as https://shop.example, or with `*.` before the host. */
export function isOrigin(text: string): boolean {
  const plain = text.replace('://*.', '://');
  return URL.canParse(plain) && new URL(plain).origin === plain;
}

/** Tells whether an origin is among those listed; `*.` stands for any subdomain, and not for none. */
export function compileOrigins(listed: readonly string[]): (origin: string) => boolean {
  const exact = new Set(listed);
  const wild = listed
    .filter((origin) => origin.includes('://*.'))
    .map((origin) => origin.split('*') as [string, string]);
  return (origin) =>
    exact.has(origin) ||
    wild.some(
      ([scheme, suffix]) =>
        origin.startsWith(scheme) &&
        origin.endsWith(suffix) &&
        /^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(origin.slice(scheme.length, -suffix.length)),
    );
}

/**
 * True for a page that came from the same host as the request asks. Schemes are not compared: where TLS ends in front
 * of the gateway, it sees http only.
 */
export function isOwnOrigin(origin: string, authority: string): boolean {
  const at = origin.indexOf('://');
  return at > 0 && origin.slice(at + 3) === authority.toLowerCase();
}
