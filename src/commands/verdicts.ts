/** What the plugins that let in and keep out make of a request that nobody sent. */
import { systemClock } from '../kernel/clock.ts';
import type { Chain } from '../pipeline/chain.ts';
import { LiveExchange } from '../pipeline/exchange.ts';
import type { Reply, RouteInfo } from '../plugin.ts';
import type { Downstream } from '../wire/downstream.ts';
import type { RequestHead } from '../wire/heads.ts';

export interface Verdict {
  /** The plugin instance. */
  readonly plugin: string;
  readonly phase: string;
  /** 0 where it lets the request go on. */
  readonly status: number;
  /** A code of the gateway where it refuses, else `-`. */
  readonly code: string;
  /** Its own words; '' when it has none. */
  readonly why: string;
}

export interface Judged {
  readonly principal: { readonly id: string; readonly scopes: readonly string[]; readonly by: string } | null;
  /** Up to the first that does not let the request go on. */
  readonly verdicts: readonly Verdict[];
}

export interface Case {
  readonly chain: Chain;
  readonly route: RouteInfo;
  readonly slotCount: number;
  readonly params: Readonly<Record<string, string>>;
  /** With its canonical path. */
  readonly head: RequestHead;
  /** The client's address. */
  readonly address: string;
}

/** Limits would count, so of `admit` only the words are asked for; `before` holds nothing later. */
const JUDGED = new Set(['accept', 'authenticate', 'authorize']);

const nobody = () => {
  throw new Error('nobody sent this request');
};

/** The exchange that a request would be, with nobody at its other end. */
export function exchangeOf({ chain, route, slotCount, params, head, address }: Case): LiveExchange {
  const down: Downstream = {
    head,
    version: '1.1',
    peer: { address, port: 0, localAddress: '127.0.0.1', localPort: 0, secure: head.scheme === 'https' },
    body: null,
    upgrade: false,
    inform: nobody,
    reply: nobody,
    accept: nobody,
    abort: () => undefined,
    traceId: '',
    closed: null,
    left: null,
  };
  return new LiveExchange({
    id: '0',
    down,
    client: { address, trusted: false, scheme: head.scheme },
    route,
    params,
    received: head,
    startMs: systemClock.nowMs(),
    startWallMs: systemClock.wallMs(),
    chain,
    slotCount,
    clock: systemClock,
  });
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What an instance says it made, or would make, of the request. */
const explainOf = (x: LiveExchange, name: string): string =>
  x.chain.instances.find((one) => one.name === name)?.hooks.explain?.(x) ?? '';

/** Runs the hooks in their order until one answers; nothing is sent anywhere, but keys of issuers may be fetched. */
export async function judge(x: LiveExchange): Promise<Judged> {
  const verdicts: Verdict[] = [];
  for (const { run, phase, owner } of x.chain.before ?? []) {
    const told = { plugin: owner.name, phase };
    if (!JUDGED.has(phase)) {
      const why = explainOf(x, owner.name);
      if (why !== '') verdicts.push({ ...told, status: 0, code: '-', why });
      continue;
    }
    try {
      const answer = (await run(x)) as Reply | undefined;
      if (answer !== undefined && answer !== null) {
        const { status, error } = answer;
        verdicts.push({ ...told, status, code: error?.code ?? '-', why: error?.detail ?? '' });
        break;
      }
    } catch (error) {
      verdicts.push({ ...told, status: 500, code: 'GW_PLUGIN', why: textOf(error) });
      break;
    }
    // The question whether anybody vouched is asked in the name of the last authenticator, which has spoken.
    if (verdicts.at(-1)?.plugin === owner.name && verdicts.at(-1)?.phase === phase) continue;
    verdicts.push({ ...told, status: 0, code: '-', why: explainOf(x, owner.name) });
  }
  const { principal } = x;
  return {
    principal: principal === null ? null : { id: principal.id, scopes: principal.scopes, by: principal.by },
    verdicts,
  };
}
