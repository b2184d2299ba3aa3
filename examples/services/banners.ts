/** A small banners service: quick for every city but Atlantis, which is a long way down. */
import { createServer } from 'node:http';

const port = Number(process.argv[2] ?? 9005);

createServer(async (request, response) => {
  const city = new URL(request.url ?? '/', 'http://banners').searchParams.get('city') ?? '';
  if (city === 'Atlantis') await new Promise((resolve) => setTimeout(resolve, 2000));
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'max-age=600' });
  response.end(`${JSON.stringify([{ text: `What is on in ${city}` }])}\n`);
}).listen(port, '127.0.0.1');
