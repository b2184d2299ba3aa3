/** What a pick costs in each balancer, at 10 to 10,000 endpoints; and what building it anew costs. */
import type { Balance } from '../src/config/types.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { mix32 } from '../src/kernel/hash.ts';
import { systemRandom } from '../src/kernel/random.ts';
import { createBalancer } from '../src/upstream/balancers/catalog.ts';
import { type EndpointTransport, Slot } from '../src/upstream/slot.ts';
import { Tier } from '../src/upstream/tier.ts';
import { Tiers } from '../src/upstream/tiers.ts';
import type { Transport } from '../src/wire/transport.ts';

const SIZES = [10, 100, 1000, 10_000];
const PICKS = 200_000;
const ROUNDS = 5;
/** Calls in flight meanwhile, per endpoint. */
const IN_FLIGHT = 4;

const METHODS: readonly Balance[] = [
  { method: 'round-robin' },
  { method: 'random' },
  { method: 'least-request' },
  { method: 'ewma', decayMs: 10_000 },
  { method: 'hash', by: 'client.address', maxLoad: 1.25 },
  { method: 'weighted', header: 'endpoint-load-metrics' },
];

const nothing: EndpointTransport = {
  inFlight: 0,
  connections: 0,
  send: unused,
  connect: unused,
  close: async () => undefined,
};

function unused(): ReturnType<Transport['send']> {
  throw new Error('nothing is sent here');
}

const slotsOf = (count: number): Slot[] =>
  Array.from({ length: count }, (_, at) => {
    const host = `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`;
    const slot = new Slot('bench', { scheme: 'http', host, port: 80, weight: 1 + (at % 3) }, nothing);
    slot.inFlight = at % (2 * IN_FLIGHT);
    return slot;
  });

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;

/** Nanoseconds a pick, as an upstream makes it: with the count of who is available. */
const measure = (balance: Balance, slots: readonly Slot[]): { pickNs: number; buildMs: number } => {
  const builds: number[] = [];
  const picks: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // A new one each time: a balancer that has seen the same membership already may have less to do.
    const balancer = createBalancer(balance, { random: systemRandom, clock: systemClock });
    const begun = performance.now();
    const tier = new Tier(slots, balancer);
    builds.push(performance.now() - begun);
    const tiers = new Tiers(tier, null, {
      panic: { on: false },
      panicBelow: 0.5,
      byHash: false,
      random: systemRandom,
      changed: () => undefined,
    });
    const from = performance.now();
    for (let key = 0; key < PICKS; key++) {
      if (tiers.pick(mix32(key), null) === null) throw new Error('nobody was picked');
    }
    picks.push(((performance.now() - from) * 1e6) / PICKS);
  }
  return { pickNs: median(picks), buildMs: median(builds) };
};

const row = (cells: readonly (string | number)[]) =>
  `${cells.map((cell, at) => (at === 0 ? String(cell).padEnd(28) : String(cell).padStart(10))).join('')}\n`;

const print = (title: string, unavailable: number) => {
  process.stdout.write(`\n${row([title, ...SIZES.map((size) => size.toLocaleString('en'))])}`);
  for (const balance of METHODS) {
    const results = SIZES.map((size) => {
      const slots = slotsOf(size);
      for (const [at, slot] of slots.entries()) if (at % 10 < unavailable) slot.keepOut('unhealthy', true);
      return measure(balance, slots);
    });
    process.stdout.write(
      row([`${balance.method}, ns a pick`, ...results.map(({ pickNs }) => pickNs.toFixed(0))]),
    );
    if (unavailable === 0)
      process.stdout.write(
        row([`${balance.method}, ms to build`, ...results.map(({ buildMs }) => buildMs.toFixed(2))]),
      );
  }
};

print('all available', 0);
print('three in ten away', 3);
