/** Steady load: so many requests a second, whether answers come or not, as clients in the world send them. */
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

export interface Steady {
  readonly sent: number;
  /** Answers of 500 and above, cut ones, and none within 10 s. */
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const GIVEN_UP_MS = 10_000;

const once = (url: string, agent: Agent) =>
  new Promise<boolean>((resolve) => {
    const outgoing = request(url, { agent, timeout: GIVEN_UP_MS }, (incoming) => {
      incoming.resume();
      incoming.on('close', () => resolve(incoming.complete && incoming.statusCode! < 500));
      // Its end is told by `close`.
      incoming.on('error', () => resolve(false));
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(false));
    outgoing.end();
  });

/** Sends `perSecond` requests for `seconds`, waits for the last answer, and tells how it went. */
export async function steady(url: string, perSecond: number, seconds: number): Promise<Steady> {
  const agent = new Agent({ keepAlive: true });
  const times: number[] = [];
  let failed = 0;
  const one = async () => {
    const start = performance.now();
    if (!(await once(url, agent))) failed++;
    times.push(performance.now() - start);
  };
  const running: Promise<void>[] = [];
  const start = performance.now();
  for (let sent = 0; sent < perSecond * seconds; sent++) {
    const early = start + (sent * 1000) / perSecond - performance.now();
    if (early > 1) await pause(early);
    running.push(one());
  }
  await Promise.all(running);
  agent.destroy();
  times.sort((a, b) => a - b);
  const at = (share: number) => Math.round(times[Math.floor((times.length - 1) * share)]! * 10) / 10;
  return { sent: times.length, failed, p50Ms: at(0.5), p99Ms: at(0.99) };
}
