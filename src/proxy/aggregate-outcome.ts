/** What the parts' ends mean for the whole: its status, its fields, its marker and its body. */
import { gatewayError } from '../kernel/errors.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { Reply } from '../plugin.ts';
import { createFields, type Fields } from '../wire/fields.ts';
import { allVary, strictestCaching } from './aggregate-cache.ts';
import { joinMembers, membersOf } from './aggregate-json.ts';
import type { AggregateOptions } from './aggregate-options.ts';
import type { PartRun } from './aggregate-part.ts';
import { dropHopByHop } from './hop-by-hop.ts';
import { problemDocument } from './problem.ts';

/** The gateway's marker of an answer without all its optional parts: `orders;code=GW_…, banners;code=GW_…`. */
export const PARTIAL_FIELD = 'snowgate-partial';

const milliseconds = (ms: number) => Math.round(ms * 10) / 10;

/** How each part ended, for the access log. */
export function partsText(runs: readonly PartRun[]): string {
  return runs
    .map(({ options, code, tookMs }) => `${options.part.name};code=${code};dur=${milliseconds(tookMs)}`)
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
  const after = failed.answerHead?.fields['retry-after'];
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

const addCookies = (fields: Fields, run: PartRun): void => {
  const given = run.answerHead?.fields['set-cookie'];
  if (!run.options.part.setCookie || given === undefined) return;
  fields['set-cookie'] = [fields['set-cookie'] ?? [], given].flat();
};

/** Joins what the parts gave, in the file's order; where two give a member the later part wins, which is counted. */
const joinAnswers = (o: AggregateOptions, runs: readonly PartRun[]): string => {
  const whole = new Map<string, string>();
  const put = (name: string, json: string) => {
    if (whole.has(name)) o.meter.memberConflicts++;
    whole.set(name, json);
  };
  for (const { options, error, value } of runs) {
    const { into, defaultJson } = options.part;
    const json = error === null ? value : defaultJson;
    if (into !== null) put(into, json);
    // A default that is no map adds nothing beside the others.
    else for (const [name, member] of membersOf(json) ?? []) put(name, member);
  }
  return joinMembers(whole);
};

/** The whole answer, with its optional parts' defaults where they failed. */
export function joinedReply(x: LiveExchange, o: AggregateOptions, runs: readonly PartRun[]): Reply {
  const missing = runs.filter((run) => run.error !== null);
  const fields = createFields();
  fields['content-type'] = 'application/json';
  for (const run of runs) if (run.error === null) addCookies(fields, run);
  setTiming(x, fields, runs);
  const marker = missing.map((run) => `${run.options.part.name};code=${run.code}`).join(', ');
  if (marker !== '') {
    x.fail(gatewayError('GW_PARTIAL', marker));
    fields[PARTIAL_FIELD] = marker;
    // What is missing now may be there in a moment.
    fields['cache-control'] = 'no-store';
  } else {
    const heads = runs.map((run) => ofSafeMethod(run));
    setCaching(o, fields, heads, x.clock.wallMs());
  }
  const body = new TextEncoder().encode(joinAnswers(o, runs));
  return { status: marker === '' ? 200 : o.partialStatus, fields, body, by: 'gateway', error: null };
}

/** The fields of an answer as caches read them: those to anything but GET are not for keeping. */
const ofSafeMethod = ({ options, answerHead }: PartRun): Fields =>
  options.part.method === 'GET' ? answerHead!.fields : NOT_KEPT;

const NOT_KEPT: Fields = Object.assign(createFields(), { 'cache-control': 'no-store' });

/** The answer of a part that goes to the client as it is. */
export function passedReply(
  x: LiveExchange,
  o: AggregateOptions,
  { run, runs, body }: { run: PartRun; runs: readonly PartRun[]; body: Reply['body'] },
): Reply {
  const { status, fields } = run.answerHead!;
  dropHopByHop(fields);
  if (!run.options.part.setCookie) delete fields['set-cookie'];
  // They are of another resource than the one that the client asked for.
  for (const name of ['etag', 'last-modified', 'age', 'expires', 'accept-ranges']) delete fields[name];
  setCaching(o, fields, [ofSafeMethod(run)], x.clock.wallMs());
  setTiming(x, fields, runs);
  return { status, fields, body, by: 'upstream', error: null };
}
