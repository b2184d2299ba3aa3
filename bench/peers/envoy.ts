/** Envoy with one worker, and nothing on but the router filter. */
import type { Peer, Ports } from '../lib/peer.ts';

const program = process.env.ENVOY ?? 'envoy';

/** Envoy with one worker and the file that `yaml` gives. */
export const envoyWith = (yaml: (ports: Ports, folder: string) => string): Peer => ({
  name: 'envoy',
  version: [program, '--version'],
  files: (ports, folder) => ({ 'envoy.yaml': yaml(ports, folder) }),
  command: (_ports, folder) => [
    program,
    ...['--concurrency', '1', '--disable-hot-restart', '-l', 'error', '-c', `${folder}/envoy.yaml`],
  ],
});

export const envoy = envoyWith(
  (ports) => `
static_resources:
  listeners:
    - address: { socket_address: { address: 127.0.0.1, port_value: ${ports.own} } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: front
                generate_request_id: false
                route_config:
                  virtual_hosts:
                    - { name: all, domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: origin } }] }
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
    - name: origin
      connect_timeout: 1s
      type: STATIC
      load_assignment:
        cluster_name: origin
        endpoints:
          - lb_endpoints:
              - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${ports.origin} } } }
`,
);
