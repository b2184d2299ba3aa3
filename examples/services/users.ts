/** A small users service: three people, and 404 for everybody else. */
import { createServer } from 'node:http';

const port = Number(process.argv[2] ?? 9004);

const users = new Map([
  [
    'alice',
    {
      id: 'alice',
      name: 'Alice',
      city: 'Vienna',
      friends: ['bob', 'carol'],
      passwordHash: 'not for clients',
    },
  ],
  ['bob', { id: 'bob', name: 'Bob', city: 'Graz', friends: ['alice'], passwordHash: 'not for clients' }],
  ['carol', { id: 'carol', name: 'Carol', city: 'Atlantis', friends: [], passwordHash: 'not for clients' }],
]);

createServer((request, response) => {
  const [, , id = ''] = new URL(request.url ?? '/', 'http://users').pathname.split('/');
  const user = users.get(decodeURIComponent(id));
  response.writeHead(user === undefined ? 404 : 200, {
    'content-type': 'application/json',
    'cache-control': 'max-age=60',
  });
  response.end(`${JSON.stringify(user ?? { error: 'there is no such user' })}\n`);
}).listen(port, '127.0.0.1');
