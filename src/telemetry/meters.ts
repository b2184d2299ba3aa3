/** Plain numbers that the request path adds to; prom-client sees them only when somebody scrapes. */
import type { GatewayCode } from '../kernel/errors.ts';
import { CODES, codeIndex, METHODS, methodIndex, statusClass, statusLabel } from './labels.ts';
import type { Outcome } from './outcome.ts';

export type Labels = Readonly<Record<string, string>>;

/** One counter and the labels it is shown with. */
export interface Cell {
  readonly labels: Labels;
  count: number;
}

/** Upper bounds of the duration buckets. */
export const BOUNDS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000] as const;

/** Counts durations by size. */
export class DurationBuckets {
  /** One place a bound, not cumulative, and one for all that is longer. */
  readonly counts = new Float64Array(BOUNDS_MS.length + 1);
  sumMs = 0;

  observe(ms: number): void {
    let at = 0;
    while (at < BOUNDS_MS.length && ms > BOUNDS_MS[at]!) at++;
    this.counts[at]!++;
    this.sumMs += ms;
  }
}

/** The numbers of one route. */
export class RouteMeter {
  readonly labels: Labels;
  readonly total = new DurationBuckets();
  readonly upstream = new DurationBuckets();
  /** By method, status and code as one small integer: no text is built for a request. */
  readonly requests = new Map<number, Cell>();
  /** By name and code of a part; names come from the configuration. */
  readonly parts = new Map<string, Cell>();
  memberConflicts = 0;
  inFlight = 0;
  inBytes = 0;
  outBytes = 0;
  tunnelsOpen = 0;
  tunnels = 0;
  /** Copies for the mirror, by how they ended. */
  readonly mirrored = new Map<string, number>();
  /** Made on purpose. */
  readonly faults = { delays: 0, aborts: 0 };

  constructor(route: string) {
    this.labels = { route };
  }

  /** A request was matched to the route. */
  begin(): void {
    this.inFlight++;
  }

  /** The last byte of that request has gone, or will never go. */
  end(o: Outcome): void {
    this.inFlight--;
    this.inBytes += o.inBytes;
    this.outBytes += o.outBytes;
    // A tunnel lives as long as its client likes: its length says nothing of how fast the gateway is.
    if (o.status !== 101) {
      this.total.observe(o.totalMs);
      if (o.upstreamMs >= 0) this.upstream.observe(o.upstreamMs);
    }
    const method = methodIndex(o.method);
    const code = codeIndex(o.code);
    const key = (method * 1000 + o.status) * CODES.length + code;
    const cell = this.requests.get(key);
    if (cell === undefined) this.#first(key, o);
    else cell.count++;
  }

  /** A copy for the mirror is over; there are few results. */
  mirrorEnded(result: string): void {
    this.mirrored.set(result, (this.mirrored.get(result) ?? 0) + 1);
  }

  /** Forgets parts that are gone, and their series with them. */
  retainParts(names: ReadonlySet<string>): void {
    for (const [key, { labels }] of this.parts) if (!names.has(labels.part!)) this.parts.delete(key);
  }

  /** A part of an aggregate has ended. */
  partEnded(part: string, code: GatewayCode | '-'): void {
    const key = `${part} ${code}`;
    const cell = this.parts.get(key);
    if (cell === undefined) this.parts.set(key, { labels: { ...this.labels, part, code }, count: 1 });
    else cell.count++;
  }

  /** A connection was upgraded. */
  tunnelOpened(): void {
    this.tunnelsOpen++;
    this.tunnels++;
  }

  tunnelClosed(): void {
    this.tunnelsOpen--;
  }

  #first(key: number, o: Outcome): void {
    const labels = {
      ...this.labels,
      method: METHODS[methodIndex(o.method)]!,
      status: statusLabel(o.status),
      code: o.code,
    };
    // Statuses that share a label share the cell, or the series would be shown twice.
    for (const cell of this.requests.values()) {
      const same = cell.labels.status === labels.status && cell.labels.code === labels.code;
      if (!same || cell.labels.method !== labels.method) continue;
      cell.count++;
      this.requests.set(key, cell);
      return;
    }
    this.requests.set(key, { labels, count: 1 });
  }
}

/** The numbers of one endpoint of an upstream. */
export class EndpointMeter {
  readonly labels: Labels;
  readonly attempts = new Map<number, Cell>();
  /** Calls that are not over, as whoever measures sets it. */
  inFlight = 0;
  /** Open connections; -1 until somebody counts them. */
  connections = -1;
  /** False while health checks or failures keep it out. */
  healthy = true;
  /** Share of the traffic now; -1 until somebody tells. */
  weight = -1;
  ejections = 0;
  /** Upgrades, event streams and gRPC that are open. */
  streams = 0;
  /** Active checks by how they went; -1 where there are none. */
  checksPassed = -1;
  checksFailed = -1;
  readonly passedLabels: Labels;
  readonly failedLabels: Labels;

  constructor(upstream: string, endpoint: string) {
    this.labels = { upstream, endpoint };
    this.passedLabels = { ...this.labels, result: 'passed' };
    this.failedLabels = { ...this.labels, result: 'failed' };
  }

  /**
   * An attempt has its head or has failed.
   * @param status 0 when no head came
   */
  count(status: number, code: GatewayCode | '-'): void {
    const kind = status >= 100 && status <= 599 ? Math.floor(status / 100) : 0;
    const key = kind * CODES.length + codeIndex(code);
    const cell = this.attempts.get(key);
    if (cell !== undefined) {
      cell.count++;
      return;
    }
    const labels = { ...this.labels, status: statusClass(status), code };
    this.attempts.set(key, { labels, count: 1 });
  }
}

/** How well a registry knows the endpoints of one upstream. */
export interface DiscoveryMeter {
  readonly labels: Labels;
  readonly ageMs: number;
  readonly failures: number;
  readonly doubted: boolean;
  readonly endpoints: number;
}

/** The numbers of one upstream: those of its endpoints, by `host:port`. */
export class UpstreamMeter {
  readonly name: string;
  readonly labels: Labels;
  readonly endpoints = new Map<string, EndpointMeter>();
  /** Requests that wait for a free slot. */
  waiting = 0;
  /** Of requests in flight; -1 where there is none. */
  limit = -1;
  /** Health is not believed, since too few are left. */
  panic = false;
  /** 0 closed, 1 half-open, 2 open; -1 where there is no breaker. */
  breaker = -1;
  breakerOpened = 0;
  retries = 0;
  retriesRefused = 0;
  /** Null where the configuration names the endpoints. */
  discovery: DiscoveryMeter | null = null;
  hedges = 0;
  hedgesWon = 0;
  failovers = 0;

  constructor(name: string) {
    this.name = name;
    this.labels = { upstream: name };
  }

  /** The meter of an endpoint, the same one each time. */
  endpoint(name: string): EndpointMeter {
    let meter = this.endpoints.get(name);
    if (meter === undefined) {
      meter = new EndpointMeter(this.name, name);
      this.endpoints.set(name, meter);
    }
    return meter;
  }

  /** Forgets endpoints that are gone, and their series with them. */
  retain(names: ReadonlySet<string>): void {
    for (const name of this.endpoints.keys()) if (!names.has(name)) this.endpoints.delete(name);
  }
}

/** The numbers of one listener. */
export class ListenerMeter {
  readonly labels: Labels;
  readonly refused = new Map<string, Cell>();
  connections = 0;

  constructor(listener: string) {
    this.labels = { listener };
  }

  opened(): void {
    this.connections++;
  }

  closed(): void {
    this.connections--;
  }

  /** A connection or a request was refused before there was a route for it. */
  refuse(code: GatewayCode): void {
    const cell = this.refused.get(code);
    if (cell === undefined) this.refused.set(code, { labels: { ...this.labels, code }, count: 1 });
    else cell.count++;
  }
}
