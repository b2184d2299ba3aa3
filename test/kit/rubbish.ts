/** A server that answers every request with what nobody asked for. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** Listens at a port and writes `bytes` to whoever says anything. @returns what ends it */
export async function startRubbish(port: number, bytes: string): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('data', () => socket.write(bytes, 'latin1'));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return async () => {
    for (const socket of sockets) socket.destroy();
    await once(server.close(), 'close');
  };
}

/** A whole HTTP answer with this text. */
export const httpAnswer = (text: string, head = 'content-type: application/json'): string =>
  `HTTP/1.1 200 OK\r\n${head}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
