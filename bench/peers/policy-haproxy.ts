/** HAProxy with the full policy of `bench/policy.ts`. */
import type { Peer } from '../lib/peer.ts';
import { ISSUER, type Tokens } from '../lib/tokens.ts';
import { haproxyWith } from './haproxy.ts';

const LOG = [
  ['time', '%Tl'],
  ['traceId', '%ID'],
  ['method', '%HM'],
  ['path', '%HP'],
  ['client', '%ci'],
  ['route', '%f'],
  ['upstream', '%b'],
  ['endpoint', '%s'],
  ['principal', '%[var(txn.sub)]'],
]
  .map(([name, value]) => `"${name}":"${value}"`)
  .concat('"status":%ST', '"durationMs":%Ta', '"upstreamMs":%Tr', '"outBytes":%B')
  .join(',')
  .replaceAll('"', '\\"');

/** Tokens are verified each time: HAProxy keeps no cache of them. */
export const policyHaproxy = (tokens: Tokens): Peer =>
  haproxyWith(
    (ports) => `
  log stdout format raw local0
defaults
  mode http
  log global
  http-reuse always
  timeout connect 1s
  timeout client 60s
  timeout server 30s
frontend front
  bind 127.0.0.1:${ports.own}
  unique-id-format %{+X}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header x-trace-id
  log-format "{${LOG}}"
  http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')
  http-request set-var(txn.iss) http_auth_bearer,jwt_payload_query('$.iss')
  http-request set-var(txn.sub) http_auth_bearer,jwt_payload_query('$.sub')
  http-request set-var(txn.exp) http_auth_bearer,jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless { var(txn.alg) -m str RS256 }
  http-request deny deny_status 401 unless { var(txn.iss) -m str ${ISSUER} }
  http-request deny deny_status 401 unless { http_auth_bearer,jwt_verify(txn.alg,"${tokens.pemFile}") -m int 1 }
  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }
  http-request set-header x-user %[var(txn.sub)]
  stick-table type string len 64 size 100k expire 60s store http_req_rate(1s)
  http-request track-sc0 var(txn.sub)
  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 100000 }
  use_backend canary if { rand(100) lt 10 }
  default_backend stable
${['stable', 'canary']
  .map(
    (name) => `backend ${name}
  server one 127.0.0.1:${ports.origin} observe layer7 error-limit 20 on-error mark-down check inter 10s`,
  )
  .join('\n')}
`,
  );
