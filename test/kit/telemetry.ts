/** An outcome to write and count, and a reader of Prometheus' text format. */
import type { Outcome } from '../../src/telemetry/outcome.ts';

/** A plain good request; pass what should differ. */
export function outcome(changes: Partial<Outcome> = {}): Outcome {
  return {
    startWallMs: Date.UTC(2026, 0, 2, 3, 4, 5, 67),
    totalMs: 12.3456,
    upstreamMs: 10.5,
    gatewayMs: 1.8456,
    id: '7012345678901234567',
    receivedId: '',
    w3cId: '',
    method: 'GET',
    host: 'shop.example.com',
    path: '/orders/42',
    hasQuery: false,
    version: '1.1',
    status: 200,
    code: '-',
    detail: '',
    degraded: '',
    closing: 'sent',
    inBytes: 0,
    outBytes: 512,
    route: 'orders',
    upstream: 'orders',
    endpoint: '10.0.0.1:8080',
    attempts: 1,
    parts: '',
    client: '192.0.2.7',
    userAgent: 'curl/8.5.0',
    principal: '',
    ...changes,
  };
}

/** All series of a scrape: `name{labels}` with the labels sorted, and its value. */
export function parseScrape(text: string): Map<string, number> {
  const series = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^([a-z_:]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match === null) continue;
    const labels = [...(match[2] ?? '').matchAll(/[a-z_]+="(?:[^"\\]|\\.)*"/g)].map((one) => one[0]).sort();
    const name = labels.length === 0 ? match[1]! : `${match[1]}{${labels.join(',')}}`;
    if (series.has(name)) throw new Error(`the series ${name} is there twice`);
    series.set(name, Number(match[3]));
  }
  return series;
}
