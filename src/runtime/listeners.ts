/** The addresses that the gateway listens on, bound and let go as the configuration changes. */
import type { Address, Config } from '../config/types.ts';
import type { GatewayError } from '../kernel/errors.ts';
import { createHttp1Listener, type Listener } from '../server/listener.ts';
import type { Serve } from '../wire/downstream.ts';
import type { Peer } from '../wire/heads.ts';
import type { IssueList } from './issue-list.ts';
import type { Machinery } from './live-upstream.ts';
import { codeOf, whyNotBound } from './why-not-bound.ts';

/** Browsers and balancers in front keep connections for up to a minute: we must not be the first to close. */
const KEEP_ALIVE_MS = 75_000;
const HEADERS_MS = 10_000;
const BODY_IDLE_MS = 30_000;
const WRITE_IDLE_MS = 60_000;

/** Which listener refused a request, and the trace ID that it had; empty for none. */
export interface Refusal {
  readonly listener: string;
  readonly traceId: string;
}

export interface ListenersParts extends Pick<Machinery, 'clock' | 'wheel'> {
  readonly serve: Serve;
  /** Told of requests that never became one; gives the trace ID of the answer, or ''. */
  readonly refused: (error: GatewayError, peer: Peer, where: Refusal) => string;
}

export interface PreparedListeners {
  commit(): void;
  discard(): Promise<void>;
}

/** A listener under the name that the configuration has for it. */
export type NamedListener = Pick<Listener, 'host' | 'port' | 'connections'> & { readonly name: string };

export interface Listeners {
  /** Those in use, with the ports that the system gave. */
  readonly open: readonly NamedListener[];
  /** Binds what is new; an address that cannot be had becomes an issue. */
  prepare(config: Config, issues: IssueList): Promise<PreparedListeners>;
  /** Takes no new connections and lets those there end within `graceMs`; those of removed addresses too. */
  drain(graceMs: number): Promise<void>;
}

const nameOf = ({ host, port }: Address) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

/** Makes the set of listeners, empty at first. */
export function createListeners(parts: ListenersParts): Listeners {
  let open = new Map<string, Listener>();
  const leaving = new Set<Promise<void>>();

  const leave = (listener: Listener, graceMs: number) => {
    const left: Promise<void> = listener.drain(graceMs).finally(() => leaving.delete(left));
    leaving.add(left);
  };

  /** `127.0.0.1:80` and `0.0.0.0:80` are two addresses of which a machine has only one at a time. */
  const ownOnPort = (port: number) => [...open].find(([, listener]) => listener.port === port)?.[0];

  const make = ({ host, port }: Address, config: Config): Listener => {
    const name = nameOf({ host, port });
    return createHttp1Listener({
      host,
      port,
      serve: parts.serve,
      refused: (error, peer, traceId) => parts.refused(error, peer, { listener: name, traceId }),
      limits: config.limits,
      timeouts: {
        headersMs: HEADERS_MS,
        bodyIdleMs: BODY_IDLE_MS,
        keepAliveMs: KEEP_ALIVE_MS,
        writeIdleMs: WRITE_IDLE_MS,
      },
      clock: parts.clock,
      wheel: parts.wheel,
    });
  };

  return {
    get open() {
      return [...open].map(([name, { host, port, connections }]) => ({ name, host, port, connections }));
    },
    async prepare(config, issues) {
      const next = new Map<string, Listener>();
      const fresh: Listener[] = [];
      for (const [at, address] of config.listen.entries()) {
        const name = nameOf(address);
        const known = open.get(name) ?? next.get(name);
        if (known !== undefined) {
          next.set(name, known);
          continue;
        }
        const listener = make(address, config);
        try {
          await listener.listen();
        } catch (error) {
          const own = codeOf(error) === 'EADDRINUSE' ? ownOnPort(address.port) : undefined;
          const { why, remedy } =
            own === undefined
              ? whyNotBound(error, address.port)
              : { why: `this gateway has the port on ${own}`, remedy: 'Such a change needs a restart.' };
          issues.error({ message: `cannot listen on ${name}: ${why}`, path: ['listen', at], remedy });
          continue;
        }
        fresh.push(listener);
        next.set(name, listener);
      }
      return {
        commit() {
          for (const [name, listener] of open) {
            // Its connections end in their own time; the grace is the one for stopping.
            if (!next.has(name)) leave(listener, config.shutdown.graceMs);
          }
          for (const listener of next.values()) listener.setLimits(config.limits);
          open = next;
        },
        async discard() {
          await Promise.all(fresh.map((listener) => listener.drain(0)));
        },
      };
    },
    async drain(graceMs) {
      await Promise.all([...[...open.values()].map((listener) => listener.drain(graceMs)), ...leaving]);
    },
  };
}
