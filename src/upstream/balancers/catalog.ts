/** All balancers by the name that the configuration gives them. */
import type { Balance } from '../../config/types.ts';
import type { Balancer, BalancerParts } from './balancer.ts';
import { createEwma } from './ewma.ts';
import { createHash } from './hash.ts';
import { createLeastRequest } from './least-request.ts';
import { createRandom } from './random.ts';
import { createRoundRobin } from './round-robin.ts';
import { createWeighted } from './weighted.ts';

/** Makes the balancer of one upstream. */
export function createBalancer(balance: Balance, parts: BalancerParts): Balancer {
  switch (balance.method) {
    case 'round-robin':
      return createRoundRobin(parts);
    case 'random':
      return createRandom(parts);
    case 'least-request':
      return createLeastRequest(parts);
    case 'ewma':
      return createEwma(parts, balance.decayMs);
    case 'hash':
      return createHash(balance.maxLoad);
    case 'weighted':
      return createWeighted(parts, balance.header);
  }
}
