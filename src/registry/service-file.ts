/** Reads a file of services: our own form, or the one of Prometheus' file-based discovery. */
import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { readDocument } from '../config/document.ts';
import { whyUnreadable } from '../config/files.ts';
import { form } from '../config/forms.ts';
import type { Issue } from '../config/issues.ts';
import { isMap, parsePart } from '../config/parse-part.ts';
import { Report } from '../config/report.ts';
import { section, table } from '../config/shapes.ts';
import { createSource } from '../config/source.ts';
import { endpointOf, entries, MAX_WEIGHT, place } from './entry.ts';
import type { RegisteredEndpoint } from './registry.ts';

/** By service. */
export type Services = ReadonlyMap<string, readonly RegisteredEndpoint[]>;

export type ServiceFile = { readonly services: Services } | { readonly issues: readonly Issue[] };

/** Some ten thousand endpoints, each with a line of metadata. */
const MAX_BYTES = 8 * 1024 ** 2;

/** Prometheus takes numbers as text too. */
const label = form<string>({
  form: 'text',
  json: { type: 'string' },
  takes: ['string', 'number', 'boolean'],
  remedy: null,
  read: String,
});

const group = section({ targets: z.array(place()), labels: table(label) });

const FORM = 'Write a map of services, each with a list of instances: `orders: [10.0.0.11:8080]`.';

const readMap = (report: Report, root: Record<string, unknown>): Services => {
  const services = new Map<string, readonly RegisteredEndpoint[]>();
  for (const name of Object.keys(root)) services.set(name, parsePart(report, entries, root, [name]) ?? []);
  return services;
};

const readWeight = (report: Report, at: number, text: string | undefined): number => {
  const weight = Number(text ?? 1);
  if (Number.isInteger(weight) && weight >= 0 && weight <= MAX_WEIGHT) return weight;
  report.on([at, 'labels', 'weight'], { message: `the weight is no whole number from 0 to ${MAX_WEIGHT}` });
  return 0;
};

/** `[{ targets: [host:port], labels: { service, weight, zone, __scheme__ } }]`; `job` serves as `service`. */
const readGroups = (report: Report, root: readonly unknown[]): Services => {
  const services = new Map<string, RegisteredEndpoint[]>();
  for (const at of root.keys()) {
    const read = parsePart(report, group, root, [at]);
    if (read === undefined) continue;
    const { service, job, weight, zone, __scheme__: scheme, ...metadata } = read.labels;
    const name = service ?? job;
    if (name === undefined) {
      report.on([at], {
        message: 'nothing says which service this group is of',
        remedy: 'Add the label `service`, or `job`.',
      });
      continue;
    }
    const shared = {
      protocol: scheme === 'https' ? ('https' as const) : ('http' as const),
      weight: readWeight(report, at, weight),
      zone,
      metadata,
    };
    const list = services.get(name) ?? [];
    list.push(...read.targets.map((address) => endpointOf({ ...shared, address }, undefined)));
    services.set(name, list);
  }
  return services;
};

/** Reads the text of a file. */
export function readServices(text: string, file: string): ServiceFile {
  const report = new Report(createSource(file, text));
  const root = readDocument(report, null)?.value;
  let services: Services = new Map();
  if (Array.isArray(root)) services = readGroups(report, root);
  else if (isMap(root)) services = readMap(report, root);
  else if (!report.failed)
    report.on(
      [],
      root === null
        ? { message: 'the file is empty', remedy: 'Write `{}` where there is no service.' }
        : { message: 'the file is neither a map of services nor a list of target groups', remedy: FORM },
    );
  return report.failed ? { issues: report.issues() } : { services };
}

const unreadable = (file: string, message: string): ServiceFile => ({
  issues: [{ severity: 'error', message, path: [], place: { file, line: 1, column: 1 }, remedy: null }],
});

/** Reads a file; what is wrong with it is in the issues, never thrown. */
export function readServiceFile(file: string): ServiceFile {
  try {
    const found = statSync(file);
    if (!found.isFile()) return unreadable(file, 'this is no ordinary file');
    if (found.size > MAX_BYTES)
      return unreadable(file, `the file is larger than ${MAX_BYTES / 1024 ** 2} MiB`);
    return readServices(readFileSync(file, 'utf8').replace(/^\uFEFF/, ''), file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return unreadable(file, `the file ${whyUnreadable(error)}`);
  }
}
