/** The schema of gateway.yaml: every key, its default and its one line of description. */
import { z } from 'zod';
import { address } from './addresses.ts';
import { adminSchema } from './admin.ts';
import { aggregate, partialStatus } from './aggregate-schema.ts';
import { balance } from './balance.ts';
import { choosingShape } from './choosing.ts';
import {
  cidr,
  duration,
  durationOrOff,
  flag,
  form,
  instant,
  integer,
  percentOrOff,
  Refusal,
  size,
  text,
} from './forms.ts';
import { readHost, readMethod, readPath, readRewrite } from './patterns.ts';
import { redis } from './redis.ts';
import { discoverSchema, registriesSchema } from './registries/schema.ts';
import { resilienceShape } from './resilience.ts';
import { retry } from './retry.ts';
import { choice, oneOrMany, section, table } from './shapes.ts';
import { priority, shed } from './shed.ts';
import { tls } from './tls.ts';
import { trafficShape } from './traffic-schema.ts';
import { websocketShape } from './websocket.ts';

export type * from './types.ts';

const plugins = table(z.unknown().meta({ form: 'a map for the plugin, or false' })).describe(
  'Plugins by instance name, each with its settings; false takes away what a wider scope put here.',
);

const timeoutShape = {
  connect: duration().describe('Until the connection to an endpoint stands, TLS included.'),
  firstByte: duration().describe('From the end of the request body to the response head.'),
  idle: duration().describe('Longest pause between two pieces of a body, and of an open WebSocket.'),
};

export const upstreamSchema = section({
  targets: z
    .union([
      z.record(z.string(), integer(0, 1_000_000)).meta({ form: 'a map of URL to weight' }),
      z.array(text({ form: 'a URL' })),
    ])
    .optional()
    .describe('The endpoints: a map of URL to weight, or a list of URLs; or else `discover`.'),
  discover: discoverSchema
    .optional()
    .describe('The service whose endpoints a registry knows: registry/service, or in the long form.'),
  balance,
  ...choosingShape,
  protocol: choice('http1').prefault('http1').describe('The protocol spoken to the endpoints.'),
  hostHeader: text({ form: '`keep`, `upstream` or a name', max: 255 })
    .prefault('keep')
    .describe(
      "Host that the endpoints see: the client's (keep), the endpoint's own (upstream), or this name.",
    ),
  failover: text({ form: 'the name of an upstream, or a URL' })
    .optional()
    .describe('Upstream that takes over when no endpoint is usable or the breaker is open.'),
  retry: retry.prefault({}).describe('When another endpoint is tried within the same request.'),
  ...resilienceShape,
  timeouts: section({
    connect: timeoutShape.connect
      .prefault('1s')
      .describe('Until the connection to an endpoint stands, TLS included.'),
    firstByte: timeoutShape.firstByte
      .prefault('15s')
      .describe('From the end of the request body to the response head.'),
    idle: timeoutShape.idle
      .prefault('60s')
      .describe('Longest pause between two pieces of a body, and of an open WebSocket.'),
  })
    .prefault({})
    .describe('Timeouts toward the endpoints.'),
  tls: tls.optional().describe('TLS toward https targets.'),
  plugins,
});

const weights = z.record(z.string(), integer(0, 1_000_000)).meta({ form: 'a map of upstream to weight' });
const body = () => size(0, Number.MAX_SAFE_INTEGER);

export const routeSchema = section({
  name: text({ form: 'a name', max: 128 })
    .optional()
    .describe('Name in logs and metrics; default: from methods, host and path.'),
  host: text({ form: 'a host', max: 253, check: (value) => checked(readHost(value)) })
    .optional()
    .describe(
      'Host to match: exact, `*.example.com`, or with a parameter as `{tenant}.example.com`; default: any.',
    ),
  path: text({ form: 'a path', check: (value) => checked(readPath(value)) }).describe(
    'Path to match: exact, `/a/**` (also `/a`), `/a/*`, or with parameters as `/a/{id}`.',
  ),
  methods: oneOrMany(text({ form: 'a method', max: 32, check: (value) => checked(readMethod(value)) }))
    .optional()
    .describe('Methods to match; default: all.'),
  headers: table(text({ form: 'text' })).describe('Headers that must have exactly these values.'),
  query: table(text({ form: 'text' })).describe('Query parameters that must have exactly these values.'),
  upstream: z
    .union([text({ form: 'the name of an upstream, registry/service, or a URL' }), weights])
    .optional()
    .describe(
      'Where requests go: the name of an upstream, registry/service, a URL, or a map of these to weights.',
    ),
  aggregate,
  partialStatus,
  stripPrefix: text({ form: 'a path', check: (value) => checked(readPath(value)) })
    .optional()
    .describe('Beginning of the path that is taken off before it is sent on.'),
  rewrite: text({ form: 'a path', check: (value) => checked(readRewrite(value)) })
    .optional()
    .describe('Path to send on instead, with the parameters of `path` and `host`, as `/v2/{id}`.'),
  hostHeader: text({ form: '`keep`, `upstream` or a name', max: 255 })
    .prefault('keep')
    .describe(
      "Host that the upstream sees: the client's (keep), the endpoint's own (upstream), or this name.",
    ),
  timeout: duration().prefault('30s').describe('Until the response head, retries included.'),
  maxDuration: durationOrOff()
    .prefault('off')
    .describe('Until the last byte; off: only `timeouts.idle` counts.'),
  timeouts: section({
    connect: timeoutShape.connect.optional().describe("Instead of the upstream's `timeouts.connect`."),
    firstByte: timeoutShape.firstByte.optional().describe("Instead of the upstream's `timeouts.firstByte`."),
    idle: timeoutShape.idle.optional().describe("Instead of the upstream's `timeouts.idle`."),
  })
    .prefault({})
    .describe("What the route sets over its upstream's timeouts."),
  limits: section({ body: body().optional().describe('Largest request body.') })
    .prefault({})
    .describe('What the route sets over the limits of the gateway.'),
  body: body().optional().describe('Short for `limits.body`.'),
  allow: oneOrMany(choice('encoded-slash', 'double-slash'))
    .prefault([])
    .describe('Ambiguous paths that this route takes all the same.'),
  ...trafficShape,
  ...websocketShape,
  priority,
  plugins,
});

function checked(read: unknown): Refusal | null {
  return read instanceof Refusal ? read : null;
}

const listener = section({ address: address().describe('Address to listen on.') });

/** The keys of the file's root. */
export const rootShape = {
  version: choice(1).prefault(1).describe('Version of this format.'),
  listen: z
    .union([
      address().transform((one) => [one]),
      z.array(z.union([address(), listener.transform((entry) => entry.address)])),
      listener.transform((entry) => [entry.address]),
    ])
    .prefault('0.0.0.0:8080')
    .describe('Address or addresses where clients are served.'),
  admin: adminSchema
    .prefault('127.0.0.1:8081')
    .describe('Address of /metrics, /healthz, /readyz and the API; off for none; or with its token.'),
  zone: text({ form: 'a name', max: 64 })
    .optional()
    .describe(
      'Where this gateway stands: endpoints of the same zone are preferred while enough of them are available.',
    ),
  stateDir: text({ form: 'a folder' })
    .prefault('./.snowgate')
    .describe('Folder for what outlives a restart; from the folder of this file.'),
  redis: redis().describe('Redis for limits that several gateways share; empty: they live in this process.'),
  trace: section({
    id: choice('snowflake', 'uuid')
      .prefault('snowflake')
      .describe('Kind of the trace ID: a 64-bit Snowflake, or a UUIDv7.'),
    datacenter: integer(0, 4095).prefault(0).describe('Datacenter number in the Snowflake.'),
    worker: form<'auto' | number>({
      form: '`auto` or a whole number',
      json: { anyOf: [{ enum: ['auto'] }, { type: 'integer', minimum: 0 }] },
      takes: ['string', 'number'],
      remedy: 'Write auto, or a whole number that no other gateway has.',
      read: (value) => {
        if (value === 'auto') return value;
        const number = typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : value;
        return typeof number === 'number' && Number.isInteger(number) && number >= 0
          ? number
          : new Refusal('is neither auto nor a whole number');
      },
    })
      .prefault('auto')
      .describe(
        "Worker number in the Snowflake; auto: the number at the end of the host's name, else by chance.",
      ),
    epoch: instant()
      .prefault('2024-01-01T00:00:00Z')
      .describe('When the milliseconds of the Snowflake begin; never change it in use.'),
    bits: section({
      datacenter: integer(0, 22).prefault(5).describe('Bits of the datacenter number.'),
      worker: integer(0, 22).prefault(5).describe('Bits of the worker number.'),
      sequence: integer(1, 22).prefault(12).describe('Bits of the sequence within a millisecond.'),
    })
      .prefault({})
      .describe('How the lower 22 bits of the Snowflake are shared out.'),
    sample: percentOrOff()
      .prefault('off')
      .describe(
        'Part of the requests without a traceparent for which a sampled trace is started; off: none is started.',
      ),
  })
    .prefault({})
    .describe('The trace ID on every request.'),
  trustedProxies: oneOrMany(cidr())
    .prefault([])
    .describe('Proxies in front whose X-Forwarded-For, Forwarded and traceparent are believed.'),
  limits: section({
    headerBytes: size(1024, 1024 ** 2)
      .prefault('16KiB')
      .describe('All header lines of a request together.'),
    headerCount: integer(10, 2000).prefault(100).describe('Header lines of a request.'),
    url: size(64, 64 * 1024)
      .prefault('8KiB')
      .describe('Path and query of a request.'),
    body: body()
      .prefault('10MiB')
      .describe('Request body, counted while it streams; a route may set its own.'),
    connections: integer(1, 1_000_000).prefault(10_000).describe('Connections of clients at once.'),
  })
    .prefault({})
    .describe('What a client may send.'),
  log: section({
    level: choice('debug', 'info', 'warn', 'error')
      .prefault('info')
      .describe('Least severity that is written.'),
    access: flag().prefault(true).describe('Write one line for each request.'),
  })
    .prefault({})
    .describe('What is logged.'),
  shed: shed.prefault({}).describe('What is refused while the gateway cannot keep up.'),
  shutdown: section({
    grace: duration(0).prefault('25s').describe('How long requests in flight may go on after SIGTERM.'),
    delay: duration(0)
      .prefault('0s')
      .describe('How long to go on accepting while /readyz says no, so that balancers notice.'),
  })
    .prefault({})
    .describe('How the gateway stops.'),
  registries: registriesSchema.describe('Where the endpoints of services are looked up, by name.'),
  upstreams: table(upstreamSchema).describe('Services behind the gateway, by name.'),
  plugins: plugins.describe('Plugins on every route, by instance name, each with its settings.'),
  routes: z
    .preprocess((value) => value ?? [], z.array(routeSchema))
    .prefault([])
    .describe('What goes where; the most specific path wins, whatever the order.'),
};

/** The whole file. */
export const fileSchema = section(rootShape);

export type UpstreamInput = z.output<typeof upstreamSchema>;
export type RouteInput = z.output<typeof routeSchema>;
export type RootInput = { [K in keyof typeof rootShape]: z.output<(typeof rootShape)[K]> };
