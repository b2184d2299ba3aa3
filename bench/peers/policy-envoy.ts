/** Envoy with the full policy of `bench/policy.ts`. */
import type { Peer } from '../lib/peer.ts';
import { ISSUER, SUBJECTS, type Tokens } from '../lib/tokens.ts';
import { envoyWith } from './envoy.ts';

const EXTENSIONS = 'type.googleapis.com/envoy.extensions';
const BUCKET = { max_tokens: 100_000, tokens_per_fill: 100_000, fill_interval: '1s' };
const EVERY = { default_value: { numerator: 100, denominator: 'HUNDRED' } };

const LOG = {
  time: '%START_TIME%',
  traceId: '%REQ(X-REQUEST-ID)%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(:PATH)%',
  client: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
  route: '%ROUTE_NAME%',
  upstream: '%UPSTREAM_CLUSTER%',
  endpoint: '%UPSTREAM_HOST%',
  principal: '%REQ(X-USER)%',
  status: '%RESPONSE_CODE%',
  code: '%RESPONSE_FLAGS%',
  durationMs: '%DURATION%',
  outBytes: '%BYTES_SENT%',
};

const cluster = (name: string, port: number) => ({
  name,
  type: 'STATIC',
  connect_timeout: '1s',
  outlier_detection: { consecutive_5xx: 5 },
  load_assignment: {
    cluster_name: name,
    endpoints: [
      {
        lb_endpoints: [
          { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } },
        ],
      },
    ],
  },
});

const filters = (tokens: Tokens) => [
  {
    name: 'envoy.filters.http.jwt_authn',
    typed_config: {
      '@type': `${EXTENSIONS}.filters.http.jwt_authn.v3.JwtAuthentication`,
      providers: {
        idp: {
          issuer: ISSUER,
          local_jwks: { inline_string: tokens.jwks },
          claim_to_headers: [{ header_name: 'x-user', claim_name: 'sub' }],
          jwt_cache_config: { jwt_cache_size: 1000 },
        },
      },
      rules: [{ match: { prefix: '/' }, requires: { provider_name: 'idp' } }],
    },
  },
  {
    name: 'envoy.filters.http.local_ratelimit',
    typed_config: {
      '@type': `${EXTENSIONS}.filters.http.local_ratelimit.v3.LocalRateLimit`,
      stat_prefix: 'limit',
      token_bucket: { ...BUCKET, max_tokens: 10_000_000, tokens_per_fill: 10_000_000 },
      filter_enabled: EVERY,
      filter_enforced: EVERY,
      descriptors: SUBJECTS.map((value) => ({ entries: [{ key: 'sub', value }], token_bucket: BUCKET })),
      rate_limits: [{ actions: [{ request_headers: { header_name: 'x-user', descriptor_key: 'sub' } }] }],
    },
  },
  {
    name: 'envoy.filters.http.router',
    typed_config: { '@type': `${EXTENSIONS}.filters.http.router.v3.Router` },
  },
];

const manager = (tokens: Tokens, folder: string) => ({
  '@type': `${EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
  stat_prefix: 'front',
  access_log: [
    {
      name: 'envoy.access_loggers.file',
      typed_config: {
        '@type': `${EXTENSIONS}.access_loggers.file.v3.FileAccessLog`,
        path: `${folder}/access.log`,
        log_format: { json_format: LOG },
      },
    },
  ],
  route_config: {
    virtual_hosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [
          {
            name: 'all',
            match: { prefix: '/' },
            route: {
              timeout: '30s',
              weighted_clusters: {
                clusters: [
                  { name: 'stable', weight: 90 },
                  { name: 'canary', weight: 10 },
                ],
              },
            },
          },
        ],
      },
    ],
  },
  http_filters: filters(tokens),
});

/** JSON is YAML too. */
export const policyEnvoy = (tokens: Tokens): Peer =>
  envoyWith((ports, folder) =>
    JSON.stringify({
      static_resources: {
        listeners: [
          {
            address: { socket_address: { address: '127.0.0.1', port_value: ports.own } },
            filter_chains: [
              {
                filters: [
                  {
                    name: 'envoy.filters.network.http_connection_manager',
                    typed_config: manager(tokens, folder),
                  },
                ],
              },
            ],
          },
        ],
        clusters: [cluster('stable', ports.origin), cluster('canary', ports.origin)],
      },
    }),
  );
