/** Takes secrets out of a value before it is shown. */

const HIDDEN = '***';

/** Keys whose text is hidden even where it stands in the file in clear. */
const SECRET_KEY = /(^|[-_.a-z])(password|passphrase|secret|token|credential|api-?_?key)s?$/i;

/** Shorter secrets are hidden only where they are the whole value: `1` in every number would hide all. */
const MIN_PART = 4;

const hideParts = (text: string, secrets: readonly string[]): string => {
  let shown = text;
  for (const secret of secrets) {
    if (shown === secret) return HIDDEN;
    if (secret.length >= MIN_PART) shown = shown.replaceAll(secret, HIDDEN);
  }
  // The user and password of a URL.
  return shown.replace(/(\/\/)[^/\s@]*@/g, `$1${HIDDEN}@`);
};

const hide = (value: unknown, secrets: readonly string[], key: string): unknown => {
  if (typeof value === 'string')
    return value !== '' && SECRET_KEY.test(key) ? HIDDEN : hideParts(value, secrets);
  if (typeof value === 'number' || typeof value === 'boolean')
    return secrets.includes(String(value)) ? HIDDEN : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => hide(item, secrets, key));
  const shown: Record<string, unknown> = Object.create(null);
  for (const [name, entry] of Object.entries(value))
    shown[hideParts(name, secrets)] = hide(entry, secrets, name);
  return shown;
};

/** A copy of plain data without secrets: by value, by the names of keys, and in URLs. */
export function redact(value: unknown, secrets: ReadonlySet<string>): unknown {
  // Longest first, so that one that holds another leaves nothing of itself.
  const sorted = [...secrets].filter((secret) => secret !== '').sort((a, b) => b.length - a.length);
  return hide(value, sorted, '');
}
