/** A real Consul for tests: one agent in development mode on free ports, by default without access control. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inCache, onPath } from './server-cache.ts';
import { freePorts, type ServerProcess, startServer } from './server-process.ts';

/** Where `scripts/test-servers.ts` builds it. */
export const CONSUL_BUILT = inCache('consul-1.22.0', 'consul');

const binary = onPath('consul') ?? (existsSync(CONSUL_BUILT) ? CONSUL_BUILT : null);

/** Why tests with Consul can't run here, or null. */
export const CONSUL_MISSING =
  binary === null ? 'no consul on the PATH, and none built: run "npm run test:servers"' : null;

export interface TestConsul {
  readonly server: ServerProcess;
  /** http://127.0.0.1:PORT */
  readonly url: string;
  /** https://127.0.0.1:PORT, where `https` was wanted. */
  readonly httpsUrl: string;
  readonly dnsPort: number;
  /**
   * Calls the HTTP API.
   * @throws Error with the answer, unless its status is 200
   */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Ends it and removes what it left. */
  close(): Promise<void>;
}

export interface ConsulOptions {
  /** Turns access control on, everything denied by default, with this token for all rights. */
  readonly managementToken?: string;
  /** Speaks HTTPS too, to clients with a certificate of this authority. */
  readonly https?: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** Starts an agent, whose memory is all that it has: killed and started again, it is empty. */
export async function startConsul(options: ConsulOptions = {}): Promise<TestConsul> {
  if (binary === null) throw new Error(CONSUL_MISSING ?? '');
  const folder = mkdtempSync(join(tmpdir(), 'snowgate-consul-'));
  const [http = 0, dns = 0, server = 0, serf = 0, https = 0] = await freePorts(5);
  const token = options.managementToken;
  const acl = token && { enabled: true, default_policy: 'deny', tokens: { initial_management: token } };
  const config = join(folder, 'agent.json');
  const pem = Object.entries(options.https ?? {}).map(([name, text]) => {
    const file = join(folder, `${name}.pem`);
    writeFileSync(file, text);
    return [`${name}_file`, file] as const;
  });
  const secure = pem.length > 0 && { https: { ...Object.fromEntries(pem), verify_incoming: true } };
  writeFileSync(
    config,
    JSON.stringify({
      bind_addr: '127.0.0.1',
      ports: {
        http,
        dns,
        server,
        serf_lan: serf,
        serf_wan: -1,
        grpc: -1,
        grpc_tls: -1,
        ...(secure && { https }),
      },
      ...(acl && { acl }),
      ...(secure && { tls: secure }),
    }),
  );
  const url = `http://127.0.0.1:${http}`;

  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: token === undefined ? {} : { 'x-consul-token': token },
      signal: AbortSignal.timeout(5_000),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  };

  const agent = await startServer({
    name: 'consul',
    command: binary,
    args: ['agent', '-dev', '-log-level=warn', `-config-file=${config}`],
    // Its own node is in the catalog as soon as it can answer for services.
    ready: async () => ((await call('GET', '/v1/catalog/nodes')) as unknown[]).length > 0,
  });
  return {
    server: agent,
    url,
    httpsUrl: `https://127.0.0.1:${https}`,
    dnsPort: dns,
    call,
    async close() {
      await agent.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
