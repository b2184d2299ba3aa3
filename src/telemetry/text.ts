/** Makes text safe and fast to print in a log line. */

/** Longest value of a client's making that goes into a log line, in characters. */
export const VALUE_LIMIT = 1024;

const cut = (text: string) => (text.length > VALUE_LIMIT ? `${text.slice(0, VALUE_LIMIT)}…` : text);

// Quote, backslash, C0 and C1 controls (a terminal obeys both), DEL, and halves of surrogate pairs.
const UNSAFE = /["\\\u0000-\u001f\u007f-\u009f\ud800-\udfff]/;
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;

const hexEscape = (control: string) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** The text as it stands between the quotes of a JSON string, shortened past `VALUE_LIMIT`. */
export function jsonInner(text: string): string {
  if (text.length <= VALUE_LIMIT && !UNSAFE.test(text)) return text;
  return JSON.stringify(cut(text)).slice(1, -1).replace(CONTROLS, hexEscape);
}

/** The same with its quotes. */
export function jsonText(text: string): string {
  return `"${jsonInner(text)}"`;
}

/** The text for a terminal: controls shown as escapes, so that nobody can paint on the operator's screen. */
export function plainText(text: string): string {
  return cut(text).replace(CONTROLS, hexEscape);
}

const THOUSANDTHS = Array.from({ length: 1000 }, (_, at) => `.${String(at).padStart(3, '0')}`);

/** Milliseconds with three decimals; ten times as fast as printing the double. */
export function millisText(ms: number): string {
  const micros = Math.round(ms * 1000);
  if (!(micros >= 0) || micros > Number.MAX_SAFE_INTEGER) return '0.000';
  const whole = Math.floor(micros / 1000);
  return whole + THOUSANDTHS[micros - whole * 1000]!;
}

/** Prints ISO 8601 times; the part down to the second is kept from one call to the next. */
export class TimeText {
  #second = Number.NaN;
  #head = '';

  /** @param wallMs milliseconds since 1970 */
  iso(wallMs: number): string {
    const ms = Math.floor(wallMs);
    const second = Math.floor(ms / 1000);
    if (second !== this.#second) {
      this.#head = new Date(second * 1000).toISOString().slice(0, 19);
      this.#second = second;
    }
    return `${this.#head}${THOUSANDTHS[ms - second * 1000]!}Z`;
  }
}
