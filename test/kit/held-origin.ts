/** An origin that keeps each request waiting until the test answers it. */
import { createServer, type ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { until } from './gateway.ts';

export interface HeldOrigin {
  readonly url: string;
  /** Those that wait for their answer, in the order in which they came. */
  readonly waiting: ServerResponse[];
  /** The paths of all that came. */
  readonly paths: string[];
  /** Comes back when so many wait. */
  arrive(count: number): Promise<void>;
  /** Answers the first ones. */
  answer(count?: number): void;
}

/** Starts it; it is gone after the test. */
export async function startHeldOrigin(): Promise<HeldOrigin> {
  const waiting: ServerResponse[] = [];
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url!);
    waiting.push(response);
    response.on('close', () => {
      if (!response.writableEnded) waiting.splice(waiting.indexOf(response), 1);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    waiting,
    paths,
    arrive: (count) => until(() => waiting.length === count, `${count} requests at the origin`),
    answer(count = 1) {
      for (const response of waiting.splice(0, count)) response.end('done');
    },
  };
}
