/** What a service says of an instance of its own: the body of `PUT /registry/SERVICE/INSTANCE`. */
import { readDocument } from '../config/document.ts';
import { duration } from '../config/forms.ts';
import type { Issue } from '../config/issues.ts';
import { parsePart } from '../config/parse-part.ts';
import { Report } from '../config/report.ts';
import { section } from '../config/shapes.ts';
import { createSource } from '../config/source.ts';
import { checkProtocol, endpointOf, entryShape } from './entry.ts';
import type { RegisteredEndpoint } from './registry.ts';

const body = section({ ...entryShape, ttl: duration(1000).optional() }).superRefine(checkProtocol);

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,126}$/;

export interface Pushed {
  readonly endpoint: RegisteredEndpoint;
  /** Null: the registry's own. */
  readonly ttlMs: number | null;
}

/** Can a service or an instance be called so? Letters, digits, `.`, `_`, `:` and `-`, 127 at most. */
export const isPushName = (name: string): boolean => NAME.test(name);

/** Reads a body (JSON, or YAML all the same); what is wrong is in the issues, with line and column. */
export function readPushed(text: string, id: string): Pushed | { readonly issues: readonly Issue[] } {
  const report = new Report(createSource('body', text));
  const value = readDocument(report, null)?.value ?? null;
  if (value === null && !report.failed)
    report.on([], { message: 'the body is empty', remedy: 'Send { "address": "10.0.0.11:8080" }.' });
  const read = report.failed ? undefined : parsePart(report, body, { body: value }, ['body']);
  if (read === undefined) return { issues: report.issues() };
  return { endpoint: endpointOf(read, id), ttlMs: read.ttl ?? null };
}
