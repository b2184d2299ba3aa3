/** Keeps the process alive while something is waited for that does not: timers of a Clock never do. */
import { MessageChannel } from 'node:worker_threads';

/** Holds the process until the function it gives is called. */
export function keepAlive(): () => void {
  const { port1 } = new MessageChannel();
  port1.ref();
  return () => port1.close();
}
