/** Reads the configuration for commands that only look at it, and tells what is wrong with it. */
import { formatIssues } from '../config/format.ts';
import type { Issue } from '../config/issues.ts';
import type { Loaded } from '../config/load.ts';
import { systemClock } from '../kernel/clock.ts';
import { systemRandom } from '../kernel/random.ts';
import { createEstate } from '../runtime/estate.ts';
import type { Plan } from '../runtime/plan.ts';
import { type Prepared, prepare } from '../runtime/prepare.ts';
import { type ReadPlan, readPlan } from '../runtime/read-plan.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { CommandFailed, hasColor, printError } from './terminal.ts';
import { version } from './version.ts';

export const DEFAULT_FILE = 'gateway.yaml';

/** A log that only speaks up about what a person should know now. */
export const quietLog = () => createLogger({ level: 'error', pretty: true, destination: process.stderr });

/** What is wrong, as text for standard error. */
export function issuesText(issues: readonly Issue[], loaded: Loaded): string {
  return formatIssues(issues, loaded, hasColor(process.stderr));
}

/** Looks at what would run, before it is given back. */
export type Look = (plan: Plan, prepared: Prepared) => Promise<void>;

/**
 * Reads and plans the file and sets up every plugin once, without listening or connecting anywhere.
 * @param look called where the file has no errors
 */
export async function readChecked(file: string, look: Look | null = null): Promise<ReadPlan> {
  const log = quietLog();
  const read = await readPlan({ file, env: process.env, log });
  if (read.plan === null) return read;
  const metrics = createMetrics({ clock: systemClock, version: version(), process: false });
  const estate = createEstate({ file, clock: systemClock, random: systemRandom, metrics, log });
  const { plan, catalog, issues } = read;
  const prepared = await prepare(estate, { plan, catalog, issues, rehearsal: true });
  try {
    if (look !== null && !issues.refused) await look(plan, prepared);
  } finally {
    prepared.discard();
  }
  estate.wheel.stop();
  return read;
}

/**
 * The plan of a file that has no errors.
 * @throws CommandFailed with everything that is wrong
 */
export async function readGood(
  file: string,
  look: Look | null = null,
): Promise<{ read: ReadPlan; plan: Plan }> {
  const read = await readChecked(file, look);
  if (read.plan === null || read.issues.refused) {
    const errors = read.issues.issues.filter((issue) => issue.severity === 'error');
    throw new CommandFailed(issuesText(errors, read.loaded));
  }
  return { read, plan: read.plan };
}

/** Prints what is wrong; nothing where there is nothing. */
export function printIssues(read: ReadPlan): void {
  if (read.issues.issues.length > 0) printError(issuesText(read.issues.issues, read.loaded));
}
