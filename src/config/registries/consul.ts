/** The settings of a Consul registry. */
import { duration, durationOrOff, flag, Refusal, text } from '../forms.ts';
import { oneOrMany } from '../shapes.ts';
import { tls } from '../tls.ts';
import { apiUrl } from './api-url.ts';
import { metadataFilter } from './file.ts';
import type { RegistryForm } from './form.ts';

const name = () => text({ form: 'a name', max: 253 });

export const consul = {
  type: 'consul',
  summary: 'The healthy instances of a Consul service, told as soon as they change.',
  options: {
    address: oneOrMany(apiUrl('http://127.0.0.1:8500'))
      .prefault('http://127.0.0.1:8500')
      .describe('Agents of one cluster; the next one is asked when one fails.'),
    token: text({ form: 'a token', max: 1024 })
      .optional()
      .describe('Access token with `service:read` and `node:read`, and `service:write` to register.'),
    tls: tls.optional().describe('How agents are spoken to whose address begins with https.'),
    wait: duration(1000)
      .prefault('30s')
      .describe('How long Consul holds an answer back while nothing changes; at most 10m.'),
    stale: durationOrOff()
      .prefault('10s')
      .describe('How old the word of a server that does not lead may be; off: only the leader is asked.'),
  },
  discover: {
    tag: oneOrMany(name()).optional().describe('Tags that an instance must have, all of them.'),
    datacenter: name().optional().describe('Datacenter to ask about; default: that of the agent.'),
    namespace: name().optional().describe('Namespace (Consul Enterprise).'),
    partition: name().optional().describe('Admin partition (Consul Enterprise).'),
    filter: text({ form: 'an expression', max: 2048 })
      .optional()
      .describe("Filter in Consul's own language, such as `Service.Meta.version == 2`."),
    metadata: metadataFilter(),
    secure: flag()
      .prefault(false)
      .describe('Speak HTTPS to all instances; otherwise to those whose metadata say `protocol: https`.'),
  },
  registers: true,
  confirm: '30s',
  checkService: (service) =>
    service.length > 128
      ? new Refusal('is longer than 128 characters', 'Write the name that the service has in Consul.')
      : null,
} as const satisfies RegistryForm;
