/**
 * The same resilience in each peer: one retry on another endpoint, a second for an answer's head, half a second to
 * connect, and an endpoint that fails five times in a row left alone for thirty seconds.
 */
import type { Peer } from '../lib/peer.ts';
import { envoyWith } from './envoy.ts';
import { haproxyWith } from './haproxy.ts';
import { snowgateWith } from './snowgate.ts';

/** The endpoints listen on the ports that follow `ports.origin`. */
export const ENDPOINTS = [1, 2, 3] as const;

const snowgate = snowgateWith(
  'snowgate',
  (ports) => `
upstreams:
  orders:
    targets: { ${ENDPOINTS.map((at) => `"http://127.0.0.1:${ports.origin + at}": 1`).join(', ')} }
    timeouts: { connect: 500ms, firstByte: 1s }
    retry: { attempts: 2, on: [connect, reset, timeout, 500] }
routes:
  - { path: /**, upstream: orders }
`,
);

const nginx: Peer = {
  name: 'nginx',
  version: ['nginx', '-v'],
  files: (ports, folder) => ({
    'nginx.conf': `
daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log ${folder}/access.log;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  upstream orders {
    ${ENDPOINTS.map((at) => `server 127.0.0.1:${ports.origin + at} max_fails=5 fail_timeout=30s;`).join(' ')}
    keepalive 64;
  }
  server {
    listen 127.0.0.1:${ports.own};
    location / {
      proxy_pass http://orders; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_connect_timeout 500ms; proxy_read_timeout 1s;
      proxy_next_upstream error timeout http_500; proxy_next_upstream_tries 2;
    }
  }
}
`,
  }),
  command: (_ports, folder) => ['nginx', '-p', folder, '-c', `${folder}/nginx.conf`],
};

const haproxy = haproxyWith(
  (ports) => `
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  timeout connect 500ms
  timeout client 60s
  timeout server 1s
  retries 1
  option redispatch 1
  retry-on conn-failure empty-response response-timeout 500
frontend front
  bind 127.0.0.1:${ports.own}
  default_backend orders
backend orders
  default-server observe layer7 error-limit 5 on-error mark-down check inter 2s fall 3 rise 2
${ENDPOINTS.map((at) => `  server s${at} 127.0.0.1:${ports.origin + at}`).join('\n')}
`,
);

const endpoint = (port: number) => ({
  endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } },
});

const envoy = envoyWith(
  (ports, folder) => `
static_resources:
  listeners:
    - address: { socket_address: { address: 127.0.0.1, port_value: ${ports.own} } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: front
                access_log:
                  - name: envoy.access_loggers.file
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
                      path: ${folder}/access.log
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes:
                        - match: { prefix: "/" }
                          route:
                            cluster: orders
                            retry_policy:
                              retry_on: 5xx
                              num_retries: 1
                              per_try_timeout: 1s
                              host_selection_retry_max_attempts: 3
                              retry_host_predicate:
                                - name: envoy.retry_host_predicates.previous_hosts
                                  typed_config: { "@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate }
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
    - name: orders
      connect_timeout: 0.5s
      type: STATIC
      outlier_detection: { consecutive_5xx: 5, interval: 1s, base_ejection_time: 30s, max_ejection_percent: 50 }
      load_assignment:
        cluster_name: orders
        endpoints: [{ lb_endpoints: ${JSON.stringify(ENDPOINTS.map((at) => endpoint(ports.origin + at)))} }]
`,
);

export const chaosPeers: readonly Peer[] = [nginx, haproxy, envoy, snowgate];
