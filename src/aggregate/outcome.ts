/** What the parts' ends mean for the whole: its status, its fields, its marker and its body. */
import { gatewayError } from '../kernel/errors.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { Reply } from '../plugin.ts';
import { dropHopByHop } from '../proxy/hop-by-hop.ts';
import { problemDocument } from '../proxy/problem.ts';
import type { Body } from '../wire/body.ts';
import { createFields, type Fields } from '../wire/fields.ts';
import type { ResponseHead } from '../wire/heads.ts';
import { allVary, strictestCaching } from './caching.ts';
import { joinParts } from './join.ts';
import type { AggregateOptions } from './options.ts';
import type { PartRun } from './part-run.ts';

/** The gateway's marker of an answer without all its optional parts: `orders;code=GW_…, banners;code=GW_…`. */
export const PARTIAL_FIELD = 'snowgate-partial';

const milliseconds = (ms: number) => Math.round(ms * 10) / 10;

/** How each part ended, for the access log. */
export function partsText(runs: readonly PartRun[]): string {
  return runs
    .map(({ options, code, tookMs, remarks }) => {
      return `${options.part.name};code=${code};dur=${milliseconds(tookMs)}${remarks}`;
    })
    .join(', ');
}

const timing = ({ options, code, tookMs }: PartRun): string => {
  const why = code === '-' ? '' : `;desc="${code}"`;
  return `${options.part.name};dur=${milliseconds(tookMs)}${why}`;
};

/** Server-Timing has a line a part; the times of the inside are for trusted callers. */
const setTiming = (x: LiveExchange, fields: Fields, runs: readonly PartRun[]): void => {
  if (x.client.trusted) fields['server-timing'] = runs.map(timing).join(', ');
};

/** The failure of the whole: the part's own code, and its name. */
export function failedReply(x: LiveExchange, failed: PartRun, runs: readonly PartRun[]): Reply {
  const cause = failed.error!;
  const { name } = failed.options.part;
  const error = gatewayError(cause.code, `part ${name}: ${cause.detail}`, cause.cause);
  const fields = createFields();
  fields['content-type'] = 'application/problem+json';
  setTiming(x, fields, runs);
  const after = failed.failedHead?.fields['retry-after'];
  if (cause.code === 'GW_PART_UNAVAILABLE' && after !== undefined) fields['retry-after'] = after;
  const body = problemDocument(error, error.status, x.id, name);
  return { status: error.status, fields, body, by: 'gateway', error };
}

const setCaching = (
  o: AggregateOptions,
  fields: Fields,
  heads: readonly Fields[],
  nowWallMs: number,
): void => {
  fields['cache-control'] = strictestCaching(heads, o.personal, nowWallMs);
  const vary = allVary(heads, o.vary);
  if (vary !== null) fields.vary = vary;
};

const addCookies = (fields: Fields, { options, heads }: PartRun): void => {
  if (!options.part.setCookie) return;
  const given = heads.flatMap((head) => head.fields['set-cookie'] ?? []);
  if (given.length > 0) fields['set-cookie'] = [fields['set-cookie'] ?? [], given].flat();
};

/** The whole answer, with its optional parts' defaults where they failed. */
export function joinedReply(x: LiveExchange, o: AggregateOptions, runs: readonly PartRun[]): Reply {
  const missing = runs.filter((run) => run.error !== null);
  const fields = createFields();
  fields['content-type'] = 'application/json';
  for (const run of runs) addCookies(fields, run);
  setTiming(x, fields, runs);
  const marker = missing.map((run) => `${run.options.part.name};code=${run.code}${run.lack}`).join(', ');
  if (marker !== '') {
    x.fail(gatewayError('GW_PARTIAL', marker));
    fields[PARTIAL_FIELD] = marker;
    // What is missing now may be there in a moment.
    fields['cache-control'] = 'no-store';
  } else {
    const heads = runs.flatMap((run) => run.heads.map((head) => ofSafeMethod(run, head)));
    setCaching(o, fields, heads, x.clock.wallMs());
  }
  const { json, conflicts } = joinParts(runs);
  o.meter.memberConflicts += conflicts;
  const body = new TextEncoder().encode(json);
  return { status: marker === '' ? 200 : o.partialStatus, fields, body, by: 'gateway', error: null };
}

/** The fields of an answer as caches read them: those to anything but GET are not for keeping. */
const ofSafeMethod = ({ options }: PartRun, { fields }: ResponseHead): Fields =>
  options.part.method === 'GET' ? fields : NOT_KEPT;

const NOT_KEPT: Fields = Object.assign(createFields(), { 'cache-control': 'no-store' });

/** The answer of a part that goes to the client as it is. */
export function passedReply(
  x: LiveExchange,
  o: AggregateOptions,
  { run, head, body, runs }: { run: PartRun; head: ResponseHead; body: Body; runs: readonly PartRun[] },
): Reply {
  const { status, fields } = head;
  dropHopByHop(fields);
  if (!run.options.part.setCookie) delete fields['set-cookie'];
  // They are of another resource than the one that the client asked for.
  for (const name of ['etag', 'last-modified', 'age', 'expires', 'accept-ranges']) delete fields[name];
  setCaching(o, fields, [ofSafeMethod(run, head)], x.clock.wallMs());
  setTiming(x, fields, runs);
  return { status, fields, body, by: 'upstream', error: null };
}
