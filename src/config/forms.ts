/** The forms that values of the configuration take: durations, sizes, addresses and the like. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { formatDuration, parseDuration, parsePercent, parseSize } from '../kernel/units.ts';

/** Why a value is refused: a predicate that follows the value, such as `is no port`. */
export class Refusal {
  readonly message: string;
  readonly remedy: string | null;

  constructor(message: string, remedy: string | null = null) {
    this.message = message;
    this.remedy = remedy;
  }
}

type Plain = 'string' | 'number' | 'boolean';

export interface FormSpec<T> {
  /** How the docs call it. */
  readonly form: string;
  /** What JSON Schema says of it. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly takes: readonly Plain[];
  readonly read: (value: string | number | boolean) => T | Refusal;
  readonly remedy: string | null;
  /** Any text will do, so a number only wants quotes. */
  readonly anyText?: boolean;
}

/** Params of an issue that a form raises; `wrongKind` when not even the kind of value was right. */
export interface FormFault {
  readonly remedy: string | null;
  /** A remedy without anything of the value. */
  readonly general: string | null;
  readonly wrongKind: boolean;
  /** Text is wanted where a number or a boolean is. */
  readonly wantsText: boolean;
}

/** A schema for one plain value with a form of its own. */
export function form<T>(spec: FormSpec<T>) {
  return z
    .unknown()
    .transform((value, ctx): T => {
      const kind = typeof value as Plain;
      const right = spec.takes.includes(kind);
      const result = right ? spec.read(value as string) : new Refusal(`is not ${spec.form}`);
      if (!(result instanceof Refusal)) return result;
      const params: FormFault = {
        remedy: result.remedy ?? spec.remedy,
        general: spec.remedy,
        wrongKind: !right,
        wantsText: !right && spec.anyText === true && (kind === 'number' || kind === 'boolean'),
      };
      ctx.issues.push({ code: 'custom', message: result.message, params, input: value });
      return z.NEVER;
    })
    .meta({ form: spec.form, ...spec.json });
}

const decimal = (value: string | number | boolean): number | null =>
  typeof value === 'number'
    ? value
    : typeof value === 'string' && /^-?\d{1,15}$/.test(value)
      ? Number(value)
      : null;

/** A whole number; text of digits is one too, so that `"${PORT}"` works where quotes are needed. */
export function integer(min: number, max: number) {
  return form({
    form: `a whole number from ${min} to ${max}`,
    json: { type: 'integer', minimum: min, maximum: max },
    takes: ['number', 'string'],
    remedy: `Write a whole number from ${min} to ${max}.`,
    read: (value) => {
      const number = decimal(value);
      if (number === null || !Number.isSafeInteger(number)) return new Refusal('is not a whole number');
      return number < min || number > max ? new Refusal(`is not from ${min} to ${max}`) : number;
    },
  });
}

const DURATION = String.raw`^\d+(\.\d+)? ?(ms|s|m|min|h|d)$`;
const DAY_MS = 86_400_000;

/** Milliseconds; at most a day, which every timer can keep. */
export function duration(minMs = 1) {
  return form({
    form: 'a duration',
    json: { type: 'string', pattern: minMs === 0 ? `${DURATION}|^0$` : DURATION },
    takes: ['string', 'number'],
    remedy: 'Write a duration such as 250ms, 5s or 1m.',
    read: (value) => {
      const ms = parseDuration(value as string | number);
      if (ms === null && typeof value === 'number')
        return new Refusal('has no unit', `Write ${value}s or ${value}ms.`);
      if (ms === null) return new Refusal('is not a duration');
      if (ms < minMs) return new Refusal(`is shorter than ${formatDuration(minMs)}`);
      return ms > DAY_MS ? new Refusal('is longer than a day') : Math.round(ms);
    },
  });
}

/** Milliseconds, or null for `off`. */
export function durationOrOff() {
  const inner = duration();
  return form<number | null>({
    form: 'a duration or off',
    json: { anyOf: [{ type: 'string', pattern: DURATION }, { enum: ['off', false] }] },
    takes: ['string', 'number', 'boolean'],
    remedy: 'Write a duration such as 30s or 5m, or off.',
    read: (value) => {
      if (value === 'off' || value === false) return null;
      const read = inner.safeParse(value);
      return read.success ? read.data : new Refusal('is neither a duration nor off');
    },
  });
}

/** Bytes. */
export function size(min: number, max: number) {
  return form({
    form: 'a size',
    json: {
      type: ['string', 'integer'],
      pattern: String.raw`^\d+(\.\d+)? ?(B|KB|MB|GB|KiB|MiB|GiB|TiB)$|^\d+$`,
    },
    takes: ['string', 'number'],
    remedy: 'Write a size such as 64KiB or 10MiB, or a number of bytes.',
    read: (value) => {
      const bytes = parseSize(value as string | number);
      if (bytes === null) return new Refusal('is not a size');
      if (bytes < min) return new Refusal(`is less than ${min} bytes`);
      return bytes > max ? new Refusal('is more than can be') : bytes;
    },
  });
}

const PERCENT = String.raw`^\d{1,3}(\.\d+)? ?%$`;

/** 0 to 1. */
export function percent() {
  return form({
    form: 'a percentage',
    json: { type: 'string', pattern: PERCENT },
    takes: ['string', 'number'],
    remedy: 'Write a percentage from 0% to 100%.',
    read: (value) =>
      (typeof value === 'string' ? parsePercent(value) : null) ?? new Refusal('is not a percentage'),
  });
}

/** 0 to 1, or null for `off`. */
export function percentOrOff() {
  return form<number | null>({
    form: 'a percentage or off',
    json: { anyOf: [{ type: 'string', pattern: PERCENT }, { enum: ['off', false] }] },
    takes: ['string', 'number', 'boolean'],
    remedy: 'Write a percentage such as 10%, or off.',
    read: (value) => {
      if (value === 'off' || value === false) return null;
      return (
        (typeof value === 'string' ? parsePercent(value) : null) ??
        new Refusal('is neither a percentage nor off')
      );
    },
  });
}

const NO_WORDS = new Set(['no', 'off', 'n', 'No', 'NO', 'Off', 'OFF']);
const YES_WORDS = new Set(['yes', 'on', 'y', 'Yes', 'YES', 'On', 'ON']);

/** true or false; yes, no, on and off are text in YAML 1.2, which their message says. */
export function flag() {
  return form<boolean>({
    form: 'true or false',
    json: { type: 'boolean' },
    takes: ['boolean', 'string'],
    remedy: 'Write true or false.',
    read: (value) => {
      if (typeof value === 'boolean') return value;
      if (value === 'true' || value === 'false') return value === 'true';
      const word = value as string;
      const bool = NO_WORDS.has(word) ? 'false' : YES_WORDS.has(word) ? 'true' : null;
      return new Refusal(
        bool === null ? 'is not true or false' : 'is text in YAML, not true or false',
        bool && `Write ${bool}.`,
      );
    },
  });
}

export interface TextSpec {
  readonly form: string;
  readonly max?: number;
  readonly json?: Readonly<Record<string, unknown>>;
  /** A refusal, or null when all is well. */
  readonly check?: (value: string) => Refusal | null;
}

/** Text of 1 to `max` characters without control characters. */
export function text(spec: TextSpec) {
  const max = spec.max ?? 4096;
  return form<string>({
    form: spec.form,
    json: { type: 'string', minLength: 1, ...spec.json },
    takes: ['string'],
    anyText: true,
    remedy: null,
    read: (value) => {
      const word = value as string;
      if (word === '') return new Refusal('is empty');
      if (word.length > max) return new Refusal(`is longer than ${max} characters`);
      if (/[\u0000-\u001f\u007f]/.test(word)) return new Refusal('holds control characters');
      return spec.check?.(word) ?? word;
    },
  });
}

/** A day and time of ISO 8601, as milliseconds since 1970. */
export function instant() {
  return form<number>({
    form: 'a date and time',
    json: { type: 'string', pattern: String.raw`^\d{4}-\d{2}-\d{2}` },
    takes: ['string'],
    remedy: 'Write a date and time such as 2024-01-01T00:00:00Z.',
    read: (value) => {
      const iso = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(
        value as string,
      );
      const ms = iso ? Date.parse(value as string) : Number.NaN;
      if (Number.isNaN(ms)) return new Refusal('is not a date and time');
      return ms < 0 ? new Refusal('is before 1970') : ms;
    },
  });
}

/** A CIDR, or an address as the CIDR of its full length; a wrong one is a refusal. */
function readCidr(value: string): string | Refusal {
  const [address = '', bits, more] = value.split('/');
  const version = isIP(address);
  if (version === 0 || more !== undefined || address.includes('%'))
    return new Refusal('is neither an address nor a CIDR');
  const full = version === 4 ? 32 : 128;
  if (bits === undefined) return `${address}/${full}`;
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > full)
    return new Refusal(`has a prefix that is not from 0 to ${full}`);
  return `${address}/${Number(bits)}`;
}

/** Addresses whose word is taken. */
export function cidr() {
  return form<string>({
    form: 'an address or CIDR',
    json: { type: 'string' },
    takes: ['string'],
    remedy: 'Write an address such as 10.0.0.7 or a CIDR such as 10.0.0.0/8.',
    read: (value) => readCidr(value as string),
  });
}
