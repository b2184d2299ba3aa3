/** The settings of the push registry: the gateway itself, told by the services through its admin address. */
import { duration, integer } from '../forms.ts';
import { metadataFilter } from './file.ts';
import type { RegistryForm } from './form.ts';

export const push = {
  type: 'push',
  summary: 'The gateway as its own registry: services enter themselves through its admin address.',
  options: {
    ttl: duration(1000)
      .prefault('30s')
      .describe('How long an instance stays that sends no heartbeat and names no TTL of its own.'),
    drain: duration(0)
      .prefault('10s')
      .describe('How long an instance that was deleted is still listed, without new requests.'),
    instances: integer(1, 100_000).prefault(10_000).describe('Instances of all services together, at most.'),
  },
  discover: { metadata: metadataFilter() },
  registers: false,
  // Silence is what a TTL is for, and nothing is forgotten over a restart.
  confirm: '0s',
} as const satisfies RegistryForm;
