import { expect, test } from 'vitest';
import { EurekaCopy, eurekaAnswer } from '../../../src/clients/eureka-copy.ts';

const instance = (instanceId: string, status = 'UP', actionType?: string) => ({
  instanceId,
  hostName: 'h',
  status,
  ...(actionType && { actionType }),
});

const answer = (hash: string, apps: Record<string, unknown>) =>
  eurekaAnswer.parse({
    applications: {
      apps__hashcode: hash,
      application: Object.entries(apps).map(([name, list]) => ({ name, instance: list })),
    },
  });

const copyOf = (apps: Record<string, unknown>) => {
  const copy = new EurekaCopy();
  copy.replace(answer('', apps));
  return copy;
};

const names = (copy: EurekaCopy, app: string) => copy.instances(app).map((each) => each.instanceId);

test('a delta adds, changes and takes away, and the hash counts instances of all applications by status', () => {
  const copy = copyOf({ ORDERS: [instance('a'), instance('b')], USERS: [instance('u', 'DOWN')] });
  const changes = {
    ORDERS: [instance('a', 'UP', 'DELETED'), instance('c', 'UP', 'ADDED')],
    USERS: [instance('u', 'OUT_OF_SERVICE', 'MODIFIED')],
  };
  expect(copy.update(answer('OUT_OF_SERVICE_1_UP_2_', changes))).toBe(true);
  expect(names(copy, 'orders')).toEqual(['b', 'c']);
  expect(copy.instances('Users')[0]?.status).toBe('OUT_OF_SERVICE');
  expect(copy.update(answer('OUT_OF_SERVICE_1_UP_2_', changes)), 'the same again').toBe(true);
});

test('a hash that does not fit says that something was missed', () => {
  const copy = copyOf({ ORDERS: [instance('a')] });
  expect(copy.update(answer('UP_2_', {}))).toBe(false);
  expect(copy.update(answer('UP_1_', {}))).toBe(true);
  expect(copyOf({}).update(answer('', {})), 'an empty server').toBe(true);
});

test('one application and one instance without a list are read as lists of one', () => {
  const copy = new EurekaCopy();
  const application = { name: 'orders', instance: instance('a') };
  copy.replace(eurekaAnswer.parse({ applications: { apps__hashcode: 'UP_1_', application } }));
  expect(names(copy, 'ORDERS')).toEqual(['a']);
});

test('an instance without a name of its own is known by its host', () => {
  const copy = copyOf({ ORDERS: [{ hostName: 'old', status: 'UP' }] });
  expect(
    copy.update(answer('', { ORDERS: [{ hostName: 'old', status: 'UP', actionType: 'DELETED' }] })),
  ).toBe(true);
  expect(copy.instances('orders')).toEqual([]);
});

test('ports are numbers whether or not they stand in quotes, and flags too', () => {
  const [read] = copyOf({
    ORDERS: [
      {
        ...instance('a'),
        port: { $: '8080', '@enabled': 'false' },
        securePort: { $: 8443, '@enabled': true },
      },
    ],
  }).instances('orders');
  expect([read?.port, read?.securePort]).toEqual([
    { $: 8080, '@enabled': false },
    { $: 8443, '@enabled': true },
  ]);
});
