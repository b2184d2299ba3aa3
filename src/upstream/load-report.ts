/** Reads the load that an endpoint tells in a field of its answers (ORCA: Open Request Cost Aggregation). */

export interface LoadReport {
  /** Requests a second that the endpoint serves, from all its clients; 0 when it doesn't say. */
  readonly rps: number;
  /** Errors a second among them. */
  readonly eps: number;
  /** Part of what it can do that is in use; above 1 when it is overloaded. */
  readonly utilization: number;
}

/** A report is a few numbers; more is no report. */
const MAX_CHARACTERS = 2048;

/**
 * Names that mean one number, the weightiest first: those of the protobuf (as its JSON has them, and in the text
 * form), and the short ones of the text form. An application's own word goes before that of its processor.
 */
const UTILIZATION = [
  'application_utilization',
  'applicationUtilization',
  'cpu_utilization',
  'cpuUtilization',
  'cpu',
];
const RPS = ['rps_fractional', 'rpsFractional', 'rps', 'qps'];
const EPS = ['eps'];

const fromJson = (text: string): Record<string, unknown> | null => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
};

/** `cpu_utilization=0.3, rps_fractional=120`, with `=` or `:`. */
const fromPairs = (text: string): Record<string, unknown> => {
  const values: Record<string, unknown> = Object.create(null);
  for (const pair of text.split(',')) {
    const at = pair.search(/[=:]/);
    if (at > 0) values[pair.slice(0, at).trim()] = pair.slice(at + 1).trim();
  }
  return values;
};

/** The first of the names that has a number above 0; 0 is also what protobuf makes of a field that is not set. */
const numberOf = (values: Record<string, unknown>, names: readonly string[], max: number): number => {
  for (const name of names) {
    const value = values[name];
    const number =
      typeof value === 'number' ? value : typeof value === 'string' && value !== '' ? Number(value) : 0;
    if (number > 0 && number <= max) return number;
  }
  return 0;
};

/**
 * Reads `JSON {…}`, `TEXT a=1, b=2`, or either without the word before it.
 * @returns null for what tells no utilization; the binary form (`BIN`) is not read
 * @see https://github.com/envoyproxy/envoy/issues/6614 and xds/data/orca/v3/orca_load_report.proto
 */
export function parseLoadReport(text: string): LoadReport | null {
  if (text.length > MAX_CHARACTERS) return null;
  const bare = text.replace(/^(?:JSON|TEXT)\s+/i, '').trim();
  const values = bare.startsWith('{') ? fromJson(bare) : fromPairs(bare);
  if (values === null) return null;
  const utilization = numberOf(values, UTILIZATION, 1000);
  if (utilization === 0) return null;
  return { utilization, rps: numberOf(values, RPS, 1e12), eps: numberOf(values, EPS, 1e12) };
}
