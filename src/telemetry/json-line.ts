/** Prints an outcome as one line of JSON, from few pieces: each join of two texts costs as much as a small field. */
import type { Outcome } from './outcome.ts';
import { jsonInner, jsonText, millisText, TimeText } from './text.ts';

/** Names come from the configuration and the registry; years of changes must not pile up. */
const KEPT_LIMIT = 4096;

/** Keeps the text that says which way the request went, by route and endpoint. */
class Ways {
  #byRoute = new Map<string, Map<string, { upstream: string; text: string }>>();
  #count = 0;

  text(o: Outcome): string {
    const way = this.#byRoute.get(o.route)?.get(o.endpoint);
    if (way !== undefined && way.upstream === o.upstream) return way.text;
    return this.#keep(o);
  }

  #keep(o: Outcome): string {
    if (++this.#count > KEPT_LIMIT) {
      this.#byRoute.clear();
      this.#count = 1;
    }
    let text = `,"route":${jsonText(o.route)}`;
    if (o.upstream !== '') text += `,"upstream":${jsonText(o.upstream)}`;
    if (o.endpoint !== '') text += `,"endpoint":${jsonText(o.endpoint)}`;
    text += ',"attempts":';
    let ways = this.#byRoute.get(o.route);
    if (ways === undefined) {
      ways = new Map();
      this.#byRoute.set(o.route, ways);
    }
    ways.set(o.endpoint, { upstream: o.upstream, text });
    return text;
  }
}

interface End {
  readonly hasQuery: boolean;
  readonly version: string;
  readonly code: string;
  readonly closing: string;
  readonly text: string;
}

/** Keeps the text that says how the request ended: the last one of each status. */
class Ends {
  readonly #byStatus = new Map<number, End>();

  text(o: Outcome): string {
    const end = this.#byStatus.get(o.status);
    const same =
      end !== undefined &&
      end.code === o.code &&
      end.closing === o.closing &&
      end.hasQuery === o.hasQuery &&
      end.version === o.version;
    return same ? end.text : this.#keep(o);
  }

  #keep({ status, hasQuery, version, code, closing }: Outcome): string {
    const text =
      `","query":${hasQuery},"version":"${version}","status":${status},` +
      `"code":"${code}","closing":"${closing}","durationMs":`;
    this.#byStatus.set(status, { hasQuery, version, code, closing, text });
    return text;
  }
}

/** Makes the printer; the fields are those of `log-fields.ts`, in its order. */
export function createJsonLine(): (o: Outcome) => string {
  const times = new TimeText();
  const ways = new Ways();
  const ends = new Ends();
  let headMs = Number.NaN;
  let head = '';
  return (o) => {
    // A busy gateway has many requests in one millisecond.
    if (o.startWallMs !== headMs) {
      headMs = o.startWallMs;
      head = `{"log":"access","time":"${times.iso(headMs)}","traceId":"`;
    }
    let line = `${head}${o.id}","method":"${jsonInner(o.method)}","host":"${jsonInner(o.host)}","path":"${jsonInner(o.path)}`;
    line += ends.text(o) + millisText(o.totalMs);
    if (o.upstreamMs >= 0) line += `,"upstreamMs":${millisText(o.upstreamMs)}`;
    if (o.gatewayMs >= 0) line += `,"gatewayMs":${millisText(o.gatewayMs)}`;
    line += `,"inBytes":${o.inBytes},"outBytes":${o.outBytes}${ways.text(o)}${o.attempts}`;
    if (o.parts !== '') line += `,"parts":"${o.parts}"`;
    line += `,"client":"${o.client}`;
    if (o.userAgent !== '') line += `","userAgent":"${jsonInner(o.userAgent)}`;
    if (o.principal !== '') line += `","principal":"${jsonInner(o.principal)}`;
    if (o.detail !== '') line += `","detail":"${jsonInner(o.detail)}`;
    if (o.degraded !== '') line += `","degraded":"${o.degraded}`;
    if (o.receivedId !== '') line += `","receivedTraceId":"${jsonInner(o.receivedId)}`;
    if (o.w3cId !== '') line += `","w3cTraceId":"${o.w3cId}`;
    return `${line}"}\n`;
  };
}
