/** The gateway's metrics: the one list that the registry, the tests and the docs share. */

export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  /** One sentence. */
  readonly help: string;
}

const family = (
  name: string,
  type: Family['type'],
  [labels, help]: [labels: string, help: string],
): Family => ({ name: `snowgate_${name}`, type, labels: labels === '' ? [] : labels.split(' '), help });

export const FAMILIES = {
  requests: family('requests_total', 'counter', [
    'route method status code',
    'Requests that have ended, by how they ended; code is - when all went well.',
  ]),
  duration: family('request_duration_seconds', 'histogram', [
    'route',
    'From the head of the request to the last byte of the answer; tunnels are left out.',
  ]),
  upstreamDuration: family('upstream_duration_seconds', 'histogram', [
    'route',
    'Part of the request that was spent waiting for the upstream.',
  ]),
  inFlight: family('requests_in_flight', 'gauge', ['route', 'Requests that have begun and not ended.']),
  inBytes: family('request_body_bytes_total', 'counter', ['route', 'Bytes of request bodies read.']),
  outBytes: family('response_body_bytes_total', 'counter', ['route', 'Bytes of response bodies written.']),
  tunnelsOpen: family('tunnels_open', 'gauge', ['route', 'Upgraded connections (WebSocket) that are open.']),
  tunnels: family('tunnels_total', 'counter', ['route', 'Upgraded connections (WebSocket) ever opened.']),
  mirrored: family('mirrored_requests_total', 'counter', [
    'route result',
    'Copies for the mirror: answered, failed, or left out: too_large, incomplete, too_many.',
  ]),
  faults: family('faults_injected_total', 'counter', [
    'route kind',
    'Requests hit by a fault made on purpose: delay or abort.',
  ]),
  parts: family('aggregate_parts_total', 'counter', [
    'route part code',
    'Parts of aggregates that have ended, by how; code is - when all went well.',
  ]),
  memberConflicts: family('aggregate_member_conflicts_total', 'counter', [
    'route',
    'Members of aggregates that two parts gave, or that an element had before; the later part won.',
  ]),
  attempts: family('upstream_attempts_total', 'counter', [
    'upstream endpoint status code',
    'Tries at an endpoint, by class of the status (none: no answer) and code.',
  ]),
  retries: family('upstream_retries_total', 'counter', [
    'upstream',
    'Tries after the first one of a request.',
  ]),
  retriesRefused: family('upstream_retries_refused_total', 'counter', [
    'upstream',
    'Tries that were wanted and that the retry budget had no room for.',
  ]),
  hedges: family('upstream_hedges_total', 'counter', [
    'upstream',
    'Requests sent to a second endpoint while the first had not answered; among the retries too.',
  ]),
  hedgesWon: family('upstream_hedges_won_total', 'counter', [
    'upstream',
    'Requests whose second endpoint answered first.',
  ]),
  failovers: family('upstream_failovers_total', 'counter', [
    'upstream',
    'Calls that the failover of the upstream took over.',
  ]),
  waiting: family('upstream_waiting', 'gauge', [
    'upstream',
    'Requests that wait for a free slot of the upstream.',
  ]),
  panic: family('upstream_panic', 'gauge', [
    'upstream',
    '1 while so few endpoints are available that failed checks and ejections are not believed, else 0.',
  ]),
  limit: family('upstream_concurrency_limit', 'gauge', [
    'upstream',
    'Requests that may be in flight at the upstream: as written, or found by latency; no series without a limit.',
  ]),
  breaker: family('upstream_breaker_state', 'gauge', [
    'upstream',
    'The circuit breaker: 0 closed, 1 half-open, 2 open; no series while it is switched off.',
  ]),
  breakerOpened: family('upstream_breaker_opened_total', 'counter', [
    'upstream',
    'How often the circuit breaker has opened.',
  ]),
  registryAge: family('registry_age_seconds', 'gauge', [
    'upstream registry',
    'How old the last good answer of the registry is while it fails; 0 while it is well.',
  ]),
  registryFailures: family('registry_failures_total', 'counter', [
    'upstream registry',
    'Tries to learn the endpoints of the upstream that failed, or that gave rubbish.',
  ]),
  registryDoubted: family('registry_answer_doubted', 'gauge', [
    'upstream registry',
    '1 while an answer that takes away over half of the endpoints waits to be confirmed, else 0.',
  ]),
  registryEndpoints: family('registry_endpoints', 'gauge', [
    'upstream registry',
    'Endpoints of the upstream in use, those that drain included.',
  ]),
  healthy: family('endpoint_healthy', 'gauge', [
    'upstream endpoint',
    '1 while the endpoint takes requests, 0 while checks or failures keep it out.',
  ]),
  weight: family('endpoint_weight', 'gauge', [
    'upstream endpoint',
    'Share of the traffic that the endpoint is to have now, in the measure of the configured weights.',
  ]),
  ejections: family('endpoint_ejections_total', 'counter', [
    'upstream endpoint',
    'How often the endpoint was ejected because it did worse than the others.',
  ]),
  checks: family('endpoint_health_checks_total', 'counter', [
    'upstream endpoint result',
    'Active health checks: passed or failed; no series where there are none.',
  ]),
  endpointInFlight: family('endpoint_in_flight', 'gauge', [
    'upstream endpoint',
    'Attempts at the endpoint that wait for an answer.',
  ]),
  streams: family('endpoint_streams', 'gauge', [
    'upstream endpoint',
    'Those of the attempts that are open streams: WebSockets, event streams, gRPC.',
  ]),
  connections: family('endpoint_connections', 'gauge', [
    'upstream endpoint',
    'Open connections to the endpoint.',
  ]),
  listenerConnections: family('listener_connections', 'gauge', [
    'listener',
    'Open connections from clients.',
  ]),
  refused: family('listener_refused_total', 'counter', [
    'listener code',
    'Connections and requests refused before a route was looked for.',
  ]),
  reloads: family('config_reloads_total', 'counter', [
    'result',
    'Attempts to load a changed configuration: ok or refused.',
  ]),
  reloadOk: family('config_last_reload_successful', 'gauge', [
    '',
    '1 when the file as it is now is the one that runs, 0 when it was refused.',
  ]),
  reloadTime: family('config_last_reload_success_timestamp_seconds', 'gauge', [
    '',
    'When a configuration was last taken into use, in seconds since 1970.',
  ]),
  configInfo: family('config_info', 'gauge', [
    'hash',
    'Always 1; the label names the running configuration.',
  ]),
  buildInfo: family('build_info', 'gauge', ['version node', 'Always 1; the labels name the versions.']),
  traceWorker: family('trace_worker_info', 'gauge', [
    'worker source',
    'Always 1; the worker number in trace IDs and where it came from (config, hostname, lease, random).',
  ]),
  shedding: family('shed_level', 'gauge', [
    '',
    'How much is refused to keep up: to 1 that part of the requests of low priority, to 2 also of the normal ones.',
  ]),
  redisUp: family('redis_up', 'gauge', [
    '',
    '1 while Redis answers in time, 0 while limits go on as their onStoreFailure says; absent without `redis`.',
  ]),
  redisNodes: family('redis_nodes', 'gauge', [
    '',
    'Gateways on this Redis, as they count themselves; local limits are divided by it while Redis is away.',
  ]),
  logDropped: family('access_log_dropped_lines_total', 'counter', [
    '',
    'Lines of the access log lost because their reader was too slow.',
  ]),
  modules: family('plugin_modules_loaded', 'gauge', [
    '',
    'Plugin files loaded since the start; each changed file loads anew and stays in memory.',
  ]),
} as const satisfies Record<string, Family>;

export type FamilyKey = keyof typeof FAMILIES;
