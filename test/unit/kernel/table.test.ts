/** The ref-counted table: what is shared, when it closes, and that a failure is never kept. */
import { expect, test } from 'vitest';
import { createTable } from '../../../src/kernel/table.ts';

const create = () => {
  const closed: string[] = [];
  const table = createTable<{ name: string }>((value, key) => closed.push(`${key}:${value.name}`));
  return { table, closed };
};

test('what is open is shared, and closed with the last share', async () => {
  const { table, closed } = create();
  let opened = 0;
  const open = () => ({ name: `n${++opened}` });
  const first = await table.acquire('a', open);
  const second = await table.acquire('a', open);
  expect(second.value).toBe(first.value);
  expect([opened, table.size]).toEqual([1, 1]);
  first.release();
  expect(closed).toEqual([]);
  second.release();
  expect(closed).toEqual(['a:n1']);
  expect(table.size).toBe(0);
});

test('releasing twice gives back one share', async () => {
  const { table, closed } = create();
  const first = await table.acquire('a', () => ({ name: 'x' }));
  const second = await table.acquire('a', () => ({ name: 'y' }));
  first.release();
  first.release();
  expect(closed).toEqual([]);
  second.release();
  expect(closed).toEqual(['a:x']);
});

test('a pending open is shared', async () => {
  const { table } = create();
  const gate = Promise.withResolvers<{ name: string }>();
  let opened = 0;
  const open = () => {
    opened++;
    return gate.promise;
  };
  const both = [table.acquire('a', open), table.acquire('a', open)];
  gate.resolve({ name: 'x' });
  const [first, second] = await Promise.all(both);
  expect(first!.value).toBe(second!.value);
  expect(opened).toBe(1);
});

test.each([
  [
    'thrown',
    () => {
      throw new Error('no');
    },
  ],
  ['rejected', () => Promise.reject(new Error('no'))],
])('a failure that is %s reaches all who wait, and is not kept', async (_, fail) => {
  const { table, closed } = create();
  const results = await Promise.allSettled([table.acquire('a', fail), table.acquire('a', fail)]);
  expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected']);
  expect(table.size).toBe(0);
  const lease = await table.acquire('a', () => ({ name: 'x' }));
  expect(lease.value.name).toBe('x');
  expect(closed).toEqual([]);
});

test('one that closes does not take away what was opened after it under the same key', async () => {
  const { table, closed } = create();
  const old = await table.acquire('a', () => ({ name: 'old' }));
  old.release();
  const fresh = await table.acquire('a', () => ({ name: 'new' }));
  old.release();
  expect(closed).toEqual(['a:old']);
  expect(table.size).toBe(1);
  fresh.release();
  expect(closed).toEqual(['a:old', 'a:new']);
});

test('keys are apart', async () => {
  const { table, closed } = create();
  const a = await table.acquire('a', () => ({ name: 'x' }));
  await table.acquire('__proto__', () => ({ name: 'y' }));
  a.release();
  expect(closed).toEqual(['a:x']);
  expect(table.size).toBe(1);
});
