/** Writes of one turn leave together, in their order, and those of the next turn after them. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { joinWrites } from '../../../src/clients/joined-writes.ts';

test('what is written in one turn arrives as one piece', async () => {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [[peer]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [
    [Socket],
    [],
  ];
  onTestFinished(() => {
    socket.destroy();
    peer.destroy();
    server.close();
  });
  joinWrites(socket);
  for (const part of ['one ', 'two ', 'three']) expect(socket.write(part)).toBe(true);
  expect(String((await once(peer, 'data'))[0])).toBe('one two three');
  socket.write('later');
  expect(String((await once(peer, 'data'))[0])).toBe('later');
});
