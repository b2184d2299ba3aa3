/** Durations, sizes, rates and percentages as people write them, and the way back. */

const DURATIONS: Readonly<Record<string, number>> = Object.freeze({
  __proto__: null as never,
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
});

const SIZES: Readonly<Record<string, number>> = Object.freeze({
  __proto__: null as never,
  B: 1,
  KB: 1000,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
});

export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

const NUMBER = /^(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]+)$/;

const scaled = (text: string, units: Readonly<Record<string, number>>): number | null => {
  const match = NUMBER.exec(text);
  if (match === null) return null;
  const unit = units[match[2]!];
  if (unit === undefined) return null;
  const value = Number(match[1]) * unit;
  return value <= Number.MAX_SAFE_INTEGER ? value : null;
};

/** Milliseconds of `250ms`, `1.5s`, `5m`, `1h`, `1d`; `0` alone needs no unit. Null when it is none of these. */
export function parseDuration(text: string | number): number | null {
  if (text === 0 || text === '0') return 0;
  return typeof text === 'string' ? scaled(text, DURATIONS) : null;
}

/** Whole bytes of `64KiB`, `10MB`, `1GiB` or a bare number. Null when it is none of these. */
export function parseSize(text: string | number): number | null {
  const bytes =
    typeof text === 'number' ? text : /^\d{1,15}$/.test(text) ? Number(text) : scaled(text, SIZES);
  if (bytes === null || !Number.isSafeInteger(bytes) || bytes < 0) return null;
  return bytes;
}

/** `100/s`, `10/min` (also `/m`), `5/h`, `1000/d`, or over a stretch as `100/10s`. Null when it is none of these. */
export function parseRate(text: string): Rate | null {
  const match = /^(\d{1,12}(?:\.\d{1,6})?) ?\/ ?(\d{0,6})([a-z]+)$/.exec(text);
  if (match === null) return null;
  const count = Number(match[1]);
  const unit = DURATIONS[match[3]!];
  if (unit === undefined) return null;
  const perMs = unit * (match[2] === '' ? 1 : Number(match[2]));
  return count > 0 && perMs > 0 ? { count, perMs } : null;
}

/** 0.1 of `10%`; from 0 to 1. Null when it is no percentage or out of range. */
export function parsePercent(text: string): number | null {
  const match = /^(\d{1,3}(?:\.\d{1,9})?) ?%$/.exec(text);
  if (match === null) return null;
  const percent = Number(match[1]);
  return percent <= 100 ? percent / 100 : null;
}

const formatWith = (
  value: number,
  units: Readonly<Record<string, number>>,
  names: readonly string[],
): string => {
  for (const name of names) {
    const unit = units[name]!;
    if (value >= unit && value % unit === 0) return `${value / unit}${name}`;
  }
  return `${value}${names.at(-1)}`;
};

/** The shortest exact spelling that `parseDuration` reads back: 90000 is `90s`, 60000 is `1m`. */
export function formatDuration(ms: number): string {
  return formatWith(ms, DURATIONS, ['d', 'h', 'm', 's', 'ms']);
}

/** The shortest exact spelling that `parseSize` reads back: 65536 is `64KiB`. */
export function formatSize(bytes: number): string {
  return formatWith(bytes, SIZES, ['TiB', 'GiB', 'MiB', 'KiB', 'B']);
}

/** `100/s`, or `100/10s` where the stretch is no single unit. */
export function formatRate(rate: Rate): string {
  for (const name of ['d', 'h', 'min', 's']) {
    if (DURATIONS[name] === rate.perMs) return `${rate.count}/${name}`;
  }
  return `${rate.count}/${formatDuration(rate.perMs)}`;
}

/** `10%` of 0.1. */
export function formatPercent(part: number): string {
  return `${Number((part * 100).toFixed(9))}%`;
}
