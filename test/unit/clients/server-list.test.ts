import { expect, test } from 'vitest';
import { createServerList } from '../../../src/clients/server-list.ts';

const asking = (down: ReadonlySet<string>) => {
  const asked: string[] = [];
  const ask = async (server: string) => {
    asked.push(server);
    if (down.has(server)) throw new Error(`${server} is down`);
    return server;
  };
  return { ask, asked };
};

const { signal } = new AbortController();

test('the first that answers is asked first from then on', async () => {
  const list = createServerList(['a', 'b', 'c']);
  const down = new Set(['a', 'b']);
  const { ask, asked } = asking(down);
  expect(await list.ask(signal, ask)).toBe('c');
  down.clear();
  expect(await list.ask(signal, ask)).toBe('c');
  expect(asked).toEqual(['a', 'b', 'c', 'c']);
});

test('each is asked once, and what the last one said is what failed', async () => {
  const list = createServerList(['a', 'b']);
  const { ask, asked } = asking(new Set(['a', 'b']));
  await expect(list.ask(signal, ask)).rejects.toThrow('b is down');
  expect(asked).toEqual(['a', 'b']);
  expect(list.current).toBe('a');
});

test('two who fail at one server move on by one, not by two', async () => {
  const list = createServerList(['a', 'b', 'c']);
  const { ask } = asking(new Set(['a']));
  expect(await Promise.all([list.ask(signal, ask), list.ask(signal, ask)])).toEqual(['b', 'b']);
});

test('nobody else is asked once it is over', async () => {
  const end = new AbortController();
  const list = createServerList(['a', 'b']);
  const asked: string[] = [];
  const ask = async (server: string) => {
    asked.push(server);
    end.abort();
    throw new Error('cut');
  };
  await expect(list.ask(end.signal, ask)).rejects.toThrow('cut');
  expect(asked).toEqual(['a']);
});
