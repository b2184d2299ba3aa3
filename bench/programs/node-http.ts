/** Answers by itself with a small JSON body. */
import { createServer } from 'node:http';

const body = '{"service":"origin","items":[1,2,3],"note":"a small answer"}';
const head = { 'content-type': 'application/json', 'content-length': String(body.length) };
createServer((_request, response) => {
  response.writeHead(200, head);
  response.end(body);
}).listen(Number(process.argv[2]), '127.0.0.1');
