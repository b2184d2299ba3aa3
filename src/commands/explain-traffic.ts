/** What `snowgate explain` shows of a route's traffic beside its upstream: sticky split, mirror and faults. */
import { formatDuration, formatPercent } from '../kernel/units.ts';
import type { PlannedRoute } from '../runtime/plan.ts';
import { createStickySplit } from '../upstream/sticky-split.ts';
import { compileWord } from '../wire/words.ts';
import type { Known } from './explain-parts.ts';

const isOfCredential = (word: string) => /^(?:claims|principal)\b/.test(word);

/** The key by which the route splits, and the upstream that it leads to; null where it splits in turn. */
const splitJson = ({ config, targets }: PlannedRoute, { source, judged }: Known) => {
  const by = config?.splitBy ?? null;
  if (by === null || targets.length < 2) return null;
  const key = compileWord(by)(source) || null;
  const split = createStickySplit(
    targets.map(({ upstream, weight }) => ({ name: upstream, weight, value: upstream })),
  );
  const unknown = key === null && !judged && isOfCredential(by);
  return { by, key, unknown, upstream: key === null ? null : split.of(key) };
};

/** The fault of the route, and whether this request is one that it may hit. */
const faultJson = ({ config }: PlannedRoute, { source }: Known) => {
  const fault = config?.fault ?? null;
  if (fault === null) return null;
  const meets = Object.entries(fault.when).every(([word, value]) => compileWord(word)(source) === value);
  return { ...fault, when: { ...fault.when }, meets };
};

/** All of it as plain data, for a request as far as it is known. */
export function trafficJson(route: PlannedRoute, known: Known) {
  const { mirror } = route;
  return {
    splitBy: splitJson(route, known),
    mirror: mirror && { upstream: mirror.upstream, percent: mirror.percent },
    fault: faultJson(route, known),
  };
}

export type Traffic = ReturnType<typeof trafficJson>;

const splitText = ({ by, key, unknown, upstream }: NonNullable<Traffic['splitBy']>): string => {
  if (upstream !== null) return `${by}: ${JSON.stringify(key)} always goes to ${upstream}`;
  return unknown ? `${by}, which a token would tell` : `${by}, which this request has not: in turn`;
};

const faultText = ({ delayMs, abort, percent, when, meets }: NonNullable<Traffic['fault']>): string => {
  const what = [
    ...(delayMs > 0 ? [`a delay of ${formatDuration(delayMs)}`] : []),
    ...(abort === null ? [] : [`${abort} GW_FAULT`]),
  ].join(', then ');
  const who = Object.entries(when).map(([word, value]) => `${word} is ${JSON.stringify(value)}`);
  const whom = who.length === 0 ? 'of all requests' : `of requests whose ${who.join(' and ')}`;
  return `${what} for ${formatPercent(percent)} ${whom}; this one is ${meets ? 'among them' : 'not'}`;
};

/** Name and text of each row; none where the route has nothing of it. */
export function trafficRows({ splitBy, mirror, fault }: Traffic): [string, string][] {
  const rows: [string, string][] = [];
  if (splitBy !== null) rows.push(['split by', splitText(splitBy)]);
  if (mirror !== null) rows.push(['mirror', `${formatPercent(mirror.percent)} also to ${mirror.upstream}`]);
  if (fault !== null) rows.push(['fault', faultText(fault)]);
  return rows;
}
