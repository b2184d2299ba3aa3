/** An origin whose faults can be switched on: `PUT /mode/NAME` on its own port, next to what it serves. */
import { createServer, type ServerResponse } from 'node:http';

const BODY = '{"service":"orders","items":[1,2,3]}';
const SLOW_MS = 2000;

const answer = (response: ServerResponse) =>
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': BODY.length }).end(BODY);

const MODES: Record<string, (response: ServerResponse) => void> = {
  ok: answer,
  slow: (response) => void setTimeout(answer, SLOW_MS, response),
  error: (response) => void response.writeHead(500).end('no'),
  reset: (response) => {
    response.writeHead(200, { 'content-length': BODY.length });
    response.write(BODY.slice(0, 8), () => response.socket?.resetAndDestroy());
  },
};

let mode = 'ok';
createServer((request, response) => {
  const wanted = /^\/mode\/(\w+)$/.exec(request.url ?? '')?.[1];
  if (wanted !== undefined && wanted in MODES) mode = wanted;
  (wanted === undefined ? MODES[mode]! : answer)(response);
}).listen(Number(process.argv[2]), '127.0.0.1');
