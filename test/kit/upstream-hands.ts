/** Endpoints that a test answers by hand, over an upstream on a clock that it moves by hand. */
import type { Duplex } from 'node:stream';
import type { GatewayError } from '../../src/kernel/errors.ts';
import { createWheel } from '../../src/kernel/wheel.ts';
import { createCall } from '../../src/proxy/call.ts';
import type { EndpointTransport } from '../../src/upstream/slot.ts';
import { createUpstream, type UpstreamOptions } from '../../src/upstream/upstream.ts';
import type { Body, Sink } from '../../src/wire/body.ts';
import type { EndpointSpec } from '../../src/wire/endpoint.ts';
import { createFields, type Fields } from '../../src/wire/fields.ts';
import type { Call, Receiver } from '../../src/wire/transport.ts';
import type { TunnelEnded, TunnelReceiver } from '../../src/wire/tunnel.ts';
import { createManualClock, createSeededRandom } from './clock.ts';
import { keepingLogger } from './plugin.ts';
import { RETRY } from './upstream.ts';

/** An answer's body that the test feeds. */
export class HandBody implements Body {
  length: number | null = null;
  into: Sink | null = null;
  cancelled: GatewayError | null = null;

  read(into: Sink): void {
    this.into = into;
  }

  cancel(why: GatewayError): void {
    this.cancelled ??= why;
  }
}

/** One attempt that has reached an endpoint. */
export interface Arrival {
  readonly host: string;
  readonly call: Call;
  readonly to: Receiver;
  /** Of a call for a tunnel. */
  readonly tunnel: TunnelReceiver | null;
  cancelled: GatewayError | null;
  answer(status: number, fields?: Fields): HandBody;
  /** Opens the tunnel; gives what ends it. */
  open(): { joined: Duplex | null; ended: TunnelEnded };
}

export interface Hands {
  readonly clock: ReturnType<typeof createManualClock>;
  readonly log: ReturnType<typeof keepingLogger>;
  readonly upstream: ReturnType<typeof createUpstream>;
  readonly call: ReturnType<typeof createCall>;
  /** All attempts so far, in order. */
  readonly arrivals: Arrival[];
  /** Hosts that fail each attempt before `send` has returned. */
  readonly failing: Map<string, GatewayError>;
  readonly inFlight: () => number[];
  readonly last: () => Arrival;
}

/**
 * @param retry over the defaults of these tests
 * @param chance what the random source gives every time; default a seeded one
 * @param options other options of the upstream
 */
export function openHands(
  targets: readonly EndpointSpec[],
  retry: Partial<UpstreamOptions['retry']> = {},
  chance?: number,
  options: Partial<UpstreamOptions> = {},
): Hands {
  const log = keepingLogger();
  const clock = createManualClock();
  const wheel = createWheel(clock, 5);
  const seeded = createSeededRandom(1);
  const random = chance === undefined ? seeded : { ...seeded, next: () => chance };
  const arrivals: Arrival[] = [];
  const failing = new Map<string, GatewayError>();

  const arrive = (host: string, call: Call, to: Receiver, tunnel: TunnelReceiver | null): Arrival => {
    const arrival: Arrival = {
      host,
      call,
      to,
      tunnel,
      cancelled: null,
      answer(status, fields = createFields()) {
        const body = new HandBody();
        const head = { status, fields };
        if (tunnel === null) to.head(head, body);
        else tunnel.refuse(head, body);
        return body;
      },
      open() {
        const state: { joined: Duplex | null; ended: TunnelEnded } = { joined: null, ended: () => {} };
        tunnel!.open({ status: 101, fields: createFields() }, (client, ended) => {
          state.joined = client;
          state.ended = ended;
        });
        return state;
      },
    };
    arrivals.push(arrival);
    return arrival;
  };

  const open = (spec: EndpointSpec): EndpointTransport => {
    const go = (call: Call, to: Receiver | TunnelReceiver, tunnel: TunnelReceiver | null) => {
      const arrival = arrive(spec.host, call, to as Receiver, tunnel);
      const error = failing.get(spec.host);
      if (error !== undefined) to.fail(error);
      return {
        cancel(why: GatewayError) {
          arrival.cancelled ??= why;
        },
      };
    };
    return {
      inFlight: 0,
      connections: 0,
      send: (call, to) => go(call, to, null),
      connect: (call, to) => go(call, to, to),
      close: async () => {},
    };
  };

  const upstream = createUpstream(
    {
      name: 'test',
      balance: { method: 'round-robin' },
      retry: { ...RETRY, ...retry },
      targets,
      ...options,
    },
    { open, clock, random, log },
  );
  return {
    clock,
    log,
    upstream,
    call: createCall(upstream, { clock, random, wheel }),
    arrivals,
    failing,
    inFlight: () => upstream.slots.map((slot) => slot.inFlight),
    last: () => arrivals.at(-1)!,
  };
}
