/** A real name server for tests, with records and TTLs as the test says. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { DnsClient } from '../../src/clients/dns.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { onPath } from './server-cache.ts';
import { freePorts, type ServerProcess, startServer } from './server-process.ts';

/** Why tests with dnsmasq can't run here, or null. */
export const DNSMASQ_MISSING =
  onPath('dnsmasq') === null ? 'no dnsmasq: on Debian, "apt-get install dnsmasq" brings it' : null;

export interface TestNameServer {
  readonly port: number;
  readonly process: ServerProcess;
  /** Puts other records in the place of those that it has; it is away for a moment. */
  serve(records: readonly string[]): Promise<void>;
  /** As `serve`, for when it is not running: begins with these. */
  prepare(records: readonly string[]): void;
}

/**
 * Starts one, gone after the test.
 * @param records lines of dnsmasq's configuration: `srv-host=_a._tcp.test,host.test,80,0,1`, `host-record=host.test,127.0.0.1`
 */
export async function startDnsmasq(records: readonly string[], ttlSeconds = 1): Promise<TestNameServer> {
  const folder = mkdtempSync(join(tmpdir(), 'snowgate-dnsmasq-'));
  const config = join(folder, 'dnsmasq.conf');
  const [port = 0] = await freePorts(1);
  const prepare = (lines: readonly string[]) => {
    const own = [
      `port=${port}`,
      'listen-address=127.0.0.1',
      'bind-interfaces',
      'no-resolv',
      'no-hosts',
      'local=/test/',
      `local-ttl=${ttlSeconds}`,
      'user=root',
      `pid-file=${join(folder, 'pid')}`,
      'host-record=up.test,127.0.0.1',
    ];
    writeFileSync(config, `${[...own, ...lines].join('\n')}\n`);
  };
  const isUp = async () => {
    const client = new DnsClient({
      servers: [{ host: '127.0.0.1', port }],
      timeoutMs: 200,
      clock: systemClock,
      random: systemRandom,
    });
    return (await client.ask('up.test', 'A')).answers !== null;
  };
  prepare(records);
  const process = await startServer({
    name: 'dnsmasq',
    command: 'dnsmasq',
    args: ['--keep-in-foreground', `--conf-file=${config}`],
    ready: isUp,
  });
  onTestFinished(async () => {
    await process.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    port,
    process,
    prepare,
    async serve(lines) {
      prepare(lines);
      await process.kill();
      await process.start();
    },
  };
}
