/** An HTTP origin as a process of its own, which can be killed, frozen and started again. */
import { onTestFinished } from 'vitest';
import { freePorts, type ServerProcess, startServer } from './server-process.ts';

export interface OriginProcess extends ServerProcess {
  readonly url: string;
  /** `host:port`, as the log has it. */
  readonly endpoint: string;
}

/** `/stream` answers in ten pieces, 20 ms apart; everything else at once. */
const PROGRAM = `
  require('node:http').createServer((request, response) => {
    if (request.url !== '/stream') return void response.end('ok');
    let left = 10;
    const timer = setInterval(() => {
      response.write('piece');
      if (--left === 0) { clearInterval(timer); response.end(); }
    }, 20);
    response.on('close', () => clearInterval(timer));
  }).listen(Number(process.argv[1]), '127.0.0.1');
`;

/** Starts one; it is gone after the test. */
export async function startOriginProcess(): Promise<OriginProcess> {
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const server = await startServer({
    name: 'origin',
    command: process.execPath,
    args: ['-e', PROGRAM, String(port)],
    ready: async () => (await fetch(url, { signal: AbortSignal.timeout(500) })).ok,
  });
  onTestFinished(() => server.kill());
  return Object.assign(server, { url, endpoint: `127.0.0.1:${port}` });
}
