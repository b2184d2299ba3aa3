/** nginx: as the origin that answers by itself, and as the proxy that all are compared to. */
import type { Peer } from '../lib/peer.ts';

const frame = (folder: string, http: string) => `
daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  ${http}
}
`;

const command = (_ports: unknown, folder: string) => ['nginx', '-p', folder, '-c', `${folder}/nginx.conf`];

export const origin: Peer = {
  name: 'origin',
  version: ['nginx', '-v'],
  files: (ports, folder) => ({
    'nginx.conf': frame(
      folder,
      `server {
        listen 127.0.0.1:${ports.own} backlog=4096; default_type application/json;
        location / { return 200 '{"service":"origin","items":[1,2,3],"note":"a small answer"}'; }
      }`,
    ),
  }),
  command,
};

export const nginx: Peer = {
  name: 'nginx',
  version: ['nginx', '-v'],
  files: (ports, folder) => ({
    'nginx.conf': frame(
      folder,
      `upstream origin { server 127.0.0.1:${ports.origin}; keepalive 128; keepalive_requests 1000000000; }
      server {
        listen 127.0.0.1:${ports.own};
        location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }
      }`,
    ),
  }),
  command,
};
