/** What to look at for each code that a request can end with. */
import type { GatewayCode } from '../kernel/errors.ts';

/** One or two sentences for whoever is woken by the code; in docs/errors.md and wherever a code is explained. */
export const ADVICE: Readonly<Record<GatewayCode, string>> = {
  GW_BAD_REQUEST:
    'Nothing to do here: look at what the client sends. Doubled lengths, bare line ends and odd field names come from broken clients and from request smuggling.',
  GW_BAD_HOST: 'Let the client send one Host field that agrees with the URL it asks for.',
  GW_BAD_PATH:
    'Let the client send a plain path: no encoded slash, backslash, NUL or semicolon, no double encoding, no way above the root.',
  GW_REQUEST_TIMEOUT:
    'A slow or stalled client, or one that holds connections open on purpose. Raise the limits on request time if slow uploads are expected.',
  GW_BODY_TOO_LARGE: 'Raise the body limit of the route if uploads of this size are meant to pass.',
  GW_URL_TOO_LONG: 'Let the client move long values into the body, or raise the limit on the URL.',
  GW_EXPECTATION: 'Let the client send no Expect field other than "100-continue".',
  GW_HEADERS_TOO_LARGE:
    'Look for cookies that grow or tokens that carry too much; raise the limits on headers only as a last resort.',
  GW_METHOD_REFUSED:
    'CONNECT and TRACE are never served. Anything else here is a probe or a wrong proxy setting.',
  GW_UPGRADE_REFUSED: 'Let the client send a complete WebSocket handshake: GET, version 13 and a key.',
  GW_CLIENT_LEFT:
    'Compare durationMs with the client’s own time limit: clients leave when the answer takes too long, and when a user closes a page.',
  GW_NO_ROUTE:
    'Compare host and path with the routes; "snowgate explain URL" says why each route did not match.',
  GW_METHOD_NOT_ALLOWED:
    'Add the method to the route, or mend the client; Allow in the answer lists the methods.',
  GW_LOOP:
    'An upstream leads back to this gateway. Compare targets with the names and addresses that the gateway itself listens on.',
  GW_UNAUTHENTICATED: 'Look at the credential: missing, expired, of another issuer, or for another audience.',
  GW_FORBIDDEN:
    'The credential is good but not enough: compare its scopes and claims with the rules of the route.',
  GW_ORIGIN_REFUSED:
    'A page of another site made the request. If the site is yours, add its origin to the route (`websocket.origins`, or `origins` of the csrf plugin).',
  GW_CREDENTIAL_ENDED:
    'Normal where a route has `websocket.endWithToken`: the client gets a new token and connects again.',
  GW_RATE_LIMITED:
    'Find the client that asks too often (client and principal in the log). Retry-After tells clients when to come back.',
  GW_FAULT:
    'Somebody is testing: the route has a `fault` in gateway.yaml. Take it out, or give it a `when` that fewer requests meet.',
  GW_IN_FLIGHT:
    'The client has as many requests under way as the limit allows: it asks too much at once, or the answers have become slow (upstreamMs).',
  GW_LIMIT_STORE:
    'Redis is away and the limit says onStoreFailure: closed. /readyz and the log say why; with local the gateway limits by itself meanwhile.',
  GW_CONNECTIONS:
    'Look at snowgate_listener_connections: too many clients, connections that leak, or an attack. Raise the limit only with the memory for it.',
  GW_SHED:
    'The event loop is late or the memory nearly used up (snowgate_shed_level, /readyz): add gateways or processors, or look for a plugin that computes for long.',
  GW_STOPPING:
    'Normal for a moment at a shutdown. If it lasts, the load balancer keeps sending after /readyz said 503.',
  GW_NOT_READY: 'The machine’s clock went back or the worker number was lost; /readyz and the log say which.',
  GW_AUTH_UNAVAILABLE:
    'The issuer of the tokens, or the service that is asked, does not answer; the log says which and why. Nobody passes meanwhile.',
  GW_PLUGIN: 'The log has the plugin’s name and its error under the same trace ID.',
  GW_INTERNAL: 'A bug of the gateway: the log has the error under the same trace ID. Please report it.',
  GW_NO_ENDPOINT:
    'Every endpoint of the upstream is out or there is none: look at snowgate_endpoint_healthy and at the registry.',
  GW_QUEUE_FULL:
    'The upstream is too slow for its load: look at upstreamMs, then at its capacity and the limit on requests.',
  GW_QUEUE_TIMEOUT:
    'All slots of the upstream were taken for too long: look at upstreamMs, then at its capacity and the limit on requests.',
  GW_BREAKER_OPEN: 'Look at the codes just before it opened: they are the cause. It tries again by itself.',
  GW_DNS:
    'Ask for the target’s name from this machine; look at the resolver and at typing errors in targets.',
  GW_CONNECT_REFUSED: 'Nothing listens at the endpoint: is the service running, and on this port?',
  GW_CONNECT_TIMEOUT:
    'Packets get lost on the way: a firewall, a wrong address, or a machine that is down or overloaded.',
  GW_TLS: 'Compare protocol and scheme: plain HTTP behind an https target, or no TLS version in common.',
  GW_TLS_CERTIFICATE:
    'Look at the upstream’s certificate: expired, for another name, or of an unknown authority.',
  GW_UPSTREAM_STALE:
    'The upstream closes idle connections sooner than the gateway expects. Let it keep them longer than the gateway does.',
  GW_UPSTREAM_RESET:
    'Look at the upstream’s own log: it crashed, was restarted, or closed the connection on this request.',
  GW_UPSTREAM_TIMEOUT:
    'Look at what the upstream waits for. Raise the route’s time limit only if such answers are really this slow.',
  GW_TIMEOUT: 'The whole request, with its retries, took too long: look at attempts and upstreamMs.',
  GW_UPSTREAM_PROTOCOL:
    'Is it an HTTP/1.1 server at all, on the right port and scheme? The log has what was wrong with its answer.',
  GW_UPSTREAM_HEADERS: 'Look at what the upstream puts into headers, most often cookies.',
  GW_UPSTREAM_CUT:
    'The client’s connection was broken off on purpose, so that the part it has does not look whole. Look at the upstream’s own log.',
  GW_UPSTREAM_IDLE:
    'The upstream stopped in the middle of a body. For streams with long pauses raise the idle time limit.',
  GW_HEDGE_LOST:
    'Nothing to do: no request ends like this, only one of two attempts that `hedgeAfter` sent. Many of them mean that `hedgeAfter` is too short.',
  GW_UPGRADE_FAILED:
    'Does the upstream speak WebSocket on this path? Its status and the log say what it answered.',
  GW_PART_INPUT:
    'Compare the request with the templates of the aggregate: a query parameter, header or claim is not there, or cannot stand where it is put. The detail names the part and the word.',
  GW_PART_VALUE:
    'The detail names the part and the word: look at what the other part answered, or mend the template.',
  GW_PART_STATUS:
    'The detail names the part and its status; look at that service. Where the status is an answer of its own, use passStatus.',
  GW_PART_UNAVAILABLE: 'The service of the part answered 503 or 429: it sheds load. Look at its capacity.',
  GW_PART_TYPE:
    'The service of the part sent no application/json: an error page, a login form, or a compressed body that was not asked for.',
  GW_PART_INVALID:
    'The detail says why: broken or too deep JSON, nothing at the pointer of `at`, or no map where one is needed.',
  GW_PART_TOO_LARGE:
    'Let the service answer with a page of its list, or raise `limit` of the part. With `each` it holds for all its calls together, and for what they send.',
  GW_PART_TOO_MANY:
    'Let the service of the list answer with a page of it, or raise `most` under `each` of the part.',
  GW_PART_DROPPED:
    'Never the cause, only seen with attempts: the call was given up as soon as another part had failed or had been passed on.',
  GW_PARTIAL:
    'The client got an answer without the parts that `snowgate-partial` and `parts` in the log name, each with its own code.',
};
