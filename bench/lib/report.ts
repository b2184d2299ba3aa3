/** Medians over the rounds, and the table that the bench prints. */
import type { Running } from './peer.ts';
import type { Burst } from './wrk.ts';

export interface Result {
  readonly name: string;
  readonly version: string;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Microseconds of CPU a request. */
  readonly cpuUs: number;
  readonly memoryMiB: number;
  /** CPU a request, over that of the first peer in the same run. */
  readonly ratio: number;
  readonly errors: number;
}

export interface Measured {
  readonly peer: Running;
  readonly bursts: readonly (Burst & { readonly cpuUs: number })[];
  readonly memoryBytes: number;
}

const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};

const round = (value: number, digits: number) => Number(value.toFixed(digits));

/** One row a peer, in the order given; the first one is what the others are compared to. */
export function summarise(measured: readonly Measured[]): Result[] {
  const cost = (one: Measured) => median(one.bursts.map((each) => each.cpuUs / each.requests));
  const base = cost(measured[0]!);
  return measured.map((one) => ({
    name: one.peer.name,
    version: one.peer.version,
    perSecond: Math.round(median(one.bursts.map((each) => each.perSecond))),
    p50Ms: round(median(one.bursts.map((each) => each.p50Ms)), 2),
    p99Ms: round(median(one.bursts.map((each) => each.p99Ms)), 2),
    cpuUs: round(cost(one), 1),
    memoryMiB: Math.round(one.memoryBytes / 2 ** 20),
    ratio: round(cost(one) / base, 2),
    errors: one.bursts.reduce((sum, each) => sum + each.errors, 0),
  }));
}

/** The results as a Markdown table. */
export function table(results: readonly Result[]): string {
  const head = [
    '',
    'version',
    'requests/s',
    'p50 ms',
    'p99 ms',
    'CPU µs',
    `× ${results[0]?.name}`,
    'MiB',
    'errors',
  ];
  const rows = results.map((r) => [
    r.name,
    r.version,
    r.perSecond,
    r.p50Ms,
    r.p99Ms,
    r.cpuUs,
    r.ratio,
    r.memoryMiB,
    r.errors,
  ]);
  const line = (cells: readonly unknown[]) => `| ${cells.join(' | ')} |\n`;
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('');
}
