/** The least that node:http and undici can do as a proxy: one origin, no policy, no timeouts, no log. */
import { createServer } from 'node:http';
import { Pool } from 'undici';

const [own, origin] = process.argv.slice(2).map(Number) as [number, number];
const pool = new Pool(`http://127.0.0.1:${origin}`, {
  pipelining: 1,
  headersTimeout: 0,
  bodyTimeout: 0,
  connections: 256,
});

createServer((request, response) => {
  pool.dispatch(
    { path: request.url ?? '/', method: 'GET', headers: ['host', 'origin'] },
    {
      onRequestStart() {},
      onResponseStart(_controller, status, fields) {
        delete fields.connection;
        response.writeHead(status, fields as Record<string, string>);
      },
      onResponseData(_controller, chunk) {
        response.write(chunk);
      },
      onResponseEnd() {
        response.end();
      },
      onResponseError() {
        response.destroy();
      },
    },
  );
}).listen(own, '127.0.0.1');
