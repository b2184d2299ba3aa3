/** Resources under /registry: services enter themselves, say that they live, and leave. */
import type { PushRegistry } from '../../registry/push.ts';
import { isPushName, readPushed } from '../../registry/pushed.ts';
import { endpointName } from '../../wire/endpoint.ts';
import { type AdminAnswer, json, problem } from '../answer.ts';
import type { AdminContext, Resource } from '../resource.ts';

const NONE = 'There is no registry of type push; add `registries: { push: {} }` to the configuration.';
const NAMES = 'A service and an instance are named by letters, digits, `.`, `_`, `:` and `-`, 127 at most.';
/** Some metadata and a long address. */
const BODY_BYTES = 16 * 1024;

/** Answers with the registry and the names in the path, or says what is missing. */
const within = (
  { sources, params }: AdminContext,
  answer: (push: PushRegistry, service: string, instance: string) => Promise<AdminAnswer>,
): AdminAnswer | Promise<AdminAnswer> => {
  const push = sources.push();
  if (push === null) return problem(404, NONE);
  const { service = '', instance = '' } = params;
  return isPushName(service) && isPushName(instance) ? answer(push, service, instance) : problem(400, NAMES);
};

export const registryList: Resource = {
  path: '/registry',
  method: 'GET',
  open: false,
  summary: 'The instances that have entered themselves, and how long they stay without a heartbeat.',
  answer: ({ sources }) => {
    const push = sources.push();
    if (push === null) return problem(404, NONE);
    return json(
      push.list().map(({ service, endpoint, ttlMs, leftMs, draining }) => ({
        service,
        instance: endpoint.id,
        endpoint: `${endpoint.scheme}://${endpointName(endpoint)}`,
        weight: endpoint.weight,
        zone: endpoint.zone,
        metadata: endpoint.metadata,
        ttlSeconds: ttlMs / 1000,
        leftSeconds: leftMs === null ? null : Math.round(leftMs / 1000),
        draining,
      })),
    );
  },
};

export const registryPut: Resource = {
  path: '/registry/{service}/{instance}',
  method: 'PUT',
  open: false,
  bodyBytes: BODY_BYTES,
  summary:
    'Enters an instance: `{ address, protocol, weight, zone, metadata, ttl }`; again as its heartbeat.',
  answer: (context) =>
    within(context, async (push, service, instance) => {
      const read = readPushed(context.body, instance);
      if ('issues' in read) {
        const lines = read.issues.map(({ message, place, remedy }) => {
          const where = place === null ? '' : `${place.line}:${place.column} `;
          return `${where}${message}.${remedy === null ? '' : ` ${remedy}`}`;
        });
        return problem(400, lines.join(' '));
      }
      const done = await push.put(service, read.endpoint, read.ttlMs);
      if (done === 'full') return problem(507, 'The registry has as many instances as it may.');
      return json({ service, instance, done }, done === 'entered' ? 201 : 200);
    }),
};

export const registryDelete: Resource = {
  path: '/registry/{service}/{instance}',
  method: 'DELETE',
  open: false,
  summary: 'Takes an instance out: no new requests from now on, and gone after the drain time.',
  answer: (context) =>
    within(context, async (push, service, instance) =>
      (await push.remove(service, instance))
        ? json({ service, instance, done: 'draining' })
        : problem(404, 'There is no such instance.'),
    ),
};
