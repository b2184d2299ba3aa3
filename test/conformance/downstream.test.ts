/** The HTTP/1 listener keeps the contract of Downstream. */

import { once } from 'node:events';
import { Agent, type ClientRequest as HttpRequest, type IncomingMessage, request as send } from 'node:http';
import { startListener } from '../kit/server.ts';
import {
  type ClientAnswer,
  type ClientRequest,
  type DownstreamFixture,
  downstreamConformance,
} from './downstream.ts';

downstreamConformance('node:http', async (): Promise<DownstreamFixture> => {
  const server = await startListener((down) => down.abort());
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });

  const begin = (what: ClientRequest): HttpRequest => {
    const length = what.body ? { 'content-length': String(what.body.length) } : {};
    const made = send({
      agent,
      host: '127.0.0.1',
      port: server.port,
      method: what.method ?? 'GET',
      path: what.path ?? '/',
      headers: { ...length, ...what.fields, ...(what.stream ? { 'transfer-encoding': 'chunked' } : {}) },
    });
    if (what.body) made.write(what.body);
    for (const chunk of what.stream?.chunks ?? []) made.write(chunk);
    if (what.stream?.trailers) made.addTrailers(what.stream.trailers);
    return made;
  };

  return {
    setServe: (serve) => server.listener.setServe(serve),
    async request(what) {
      const interim: ClientAnswer['interim'][number][] = [];
      const made = begin(what);
      made.on('information', (info) => interim.push({ status: info.statusCode, fields: info.headers }));
      // The answer may come, whole, before all is sent; the rest of the sending may then fail.
      const arrived = new Promise<IncomingMessage>((resolve, reject) => {
        made.on('response', resolve);
        made.on('error', reject);
      });
      made.end();
      const res = await arrived;
      const chunks: Buffer[] = [];
      for await (const chunk of res) chunks.push(chunk);
      return {
        status: res.statusCode!,
        fields: res.headers,
        body: Buffer.concat(chunks),
        trailers: res.trailers,
        interim,
      };
    },
    async glance(what) {
      const made = begin(what);
      made.on('error', () => {});
      made.end();
      const [res] = (await once(made, 'response')) as [IncomingMessage];
      made.destroy();
      return res.statusCode!;
    },
    async leave(what, when) {
      const made = begin(what);
      made.on('error', () => {});
      if (what.body === undefined) made.end();
      await when;
      made.destroy();
    },
    async stop() {
      agent.destroy();
      await server.stop();
    },
  };
});
