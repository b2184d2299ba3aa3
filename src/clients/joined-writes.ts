/** Joins what is written to a socket in one turn of the event loop into one call of the system. */
import type { Socket } from 'node:net';
import { atTurnEnd } from '../kernel/turn-end.ts';

/** For a socket that many small writes go to, such as commands of requests that came in at the same time. */
export function joinWrites(socket: Socket): void {
  const write = socket.write.bind(socket) as (...all: unknown[]) => boolean;
  let isHeld = false;
  const release = {
    turnEnded() {
      isHeld = false;
      socket.uncork();
    },
  };
  const join = (...all: unknown[]): boolean => {
    if (!isHeld) {
      isHeld = true;
      socket.cork();
      atTurnEnd(release);
    }
    return write(...all);
  };
  socket.write = join as Socket['write'];
}
