/** All balancers by the name that the configuration gives them. */
import type { Upstream } from '../../config/types.ts';
import type { Random } from '../../kernel/random.ts';
import type { Balancer } from './balancer.ts';
import { createLeastRequest } from './least-request.ts';
import { createRandom } from './random.ts';
import { createRoundRobin } from './round-robin.ts';

export interface BalancerEntry {
  /** One sentence for docs and `explain`. */
  readonly summary: string;
  /** Makes the balancer of one upstream. */
  readonly create: (random: Random) => Balancer;
}

export const BALANCERS: Readonly<Record<Upstream['balance'], BalancerEntry>> = Object.freeze({
  __proto__: null as never,
  'round-robin': { summary: 'In turn, by weight, evenly spread.', create: createRoundRobin },
  random: { summary: 'By chance, by weight.', create: createRandom },
  'least-request': {
    summary: 'The less busy of two drawn by chance, by weight.',
    create: createLeastRequest,
  },
});
