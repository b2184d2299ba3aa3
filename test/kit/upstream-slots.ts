/** Slots without connections, for tests of who is picked. */
import { gatewayError } from '../../src/kernel/errors.ts';
import type { Picker } from '../../src/upstream/balancers/balancer.ts';
import { type EndpointTransport, Slot } from '../../src/upstream/slot.ts';
import type { EndpointSpec } from '../../src/wire/endpoint.ts';

/** Carries nothing: every call fails as if the port were closed. */
export function closedTransport(): EndpointTransport {
  return {
    inFlight: 0,
    connections: 0,
    send(_call, to) {
      to.fail(gatewayError('GW_CONNECT_REFUSED'));
      return { cancel() {} };
    },
    connect(_call, to) {
      to.fail(gatewayError('GW_CONNECT_REFUSED'));
      return { cancel() {} };
    },
    close: async () => {},
  };
}

export function specOf(name: string, weight = 1): EndpointSpec {
  return { scheme: 'http', host: name, port: 80, weight };
}

/** A slot per weight, named a, b, … z, then s26, s27, … */
export function slotsOf(...weights: number[]): Slot[] {
  return weights.map((weight, at) => {
    const name = at < 26 ? String.fromCharCode(97 + at) : `s${at}`;
    return new Slot('test', specOf(name, weight), closedTransport());
  });
}

/** The hosts of the next `count` picks, each for another key; '-' where nobody could be picked. */
export function picks(picker: Picker, count: number): string[] {
  return Array.from({ length: count }, (_, key) => picker.pick(key, null)?.spec.host ?? '-');
}

export function countBy(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
