/** One instance as people and services write it down: an address, and what is to be known of it. */
import { z } from 'zod';
import { looksLikeUrl, readAddress, readTarget } from '../config/addresses.ts';
import { type FormFault, form, integer, Refusal, text } from '../config/forms.ts';
import { choice, section, table } from '../config/shapes.ts';
import { type EndpointSpec, endpointName } from '../wire/endpoint.ts';
import type { RegisteredEndpoint } from './registry.ts';

const REMEDY = 'Write host:port or a URL, such as 10.0.0.11:8080 or https://10.0.0.11.';

type Place = Pick<EndpointSpec, 'host' | 'port'> & { readonly scheme: EndpointSpec['scheme'] | null };

const readPlace = (value: string): Place | Refusal => {
  if (looksLikeUrl(value)) return readTarget(value, 1);
  const read = readAddress(value);
  if (read instanceof Refusal) return read;
  return read.port === 0 ? new Refusal('has port 0') : { ...read, scheme: null };
};

/** `host:port`, whose protocol is said elsewhere, or a whole URL. */
export const place = () =>
  form<Place>({
    form: 'host:port or a URL',
    json: { type: 'string' },
    takes: ['string'],
    remedy: REMEDY,
    read: (value) => readPlace(value as string),
  });

export const MAX_WEIGHT = 1_000_000;

/** The keys that an instance may have, wherever it is written down. */
export const entryShape = {
  address: place(),
  protocol: choice('http', 'https').optional(),
  weight: integer(0, MAX_WEIGHT).prefault(1),
  zone: text({ form: 'a name', max: 64 }).optional(),
  metadata: table(text({ form: 'text', max: 1024 })),
};

type EntryInput = z.output<z.ZodObject<typeof entryShape>>;

/** A URL says the protocol itself. */
export const checkProtocol = (
  input: Pick<EntryInput, 'address' | 'protocol'>,
  ctx: z.RefinementCtx,
): void => {
  const { address, protocol } = input;
  if (protocol === undefined || address.scheme === null || address.scheme === protocol) return;
  const params: FormFault = {
    remedy: 'Delete it: the URL says how.',
    general: null,
    wrongKind: false,
    wantsText: false,
  };
  ctx.addIssue({ code: 'custom', path: ['protocol'], message: 'is not what the URL says', params });
};

/** What was read, as an endpoint; without a name of its own it is called by its address. */
export function endpointOf(input: EntryInput, id: string | undefined): RegisteredEndpoint {
  const { host, port, scheme } = input.address;
  const spec = {
    scheme: scheme ?? input.protocol ?? 'http',
    host,
    port,
    weight: input.weight,
    zone: input.zone ?? null,
  };
  return { ...spec, id: id ?? endpointName(spec), metadata: input.metadata };
}

const entry = section({ id: text({ form: 'a name', max: 253 }).optional(), ...entryShape })
  .superRefine(checkProtocol)
  .transform((input) => endpointOf(input, input.id));

const bare = place().transform((address) => endpointOf({ address, weight: 1, metadata: {} }, undefined));

/** A list of instances, each an address or a map, or a map of address to weight. */
export const entries = z.union([
  z.array(z.union([bare, entry])),
  z.record(z.string(), integer(0, MAX_WEIGHT)).transform((weights, ctx) =>
    Object.entries(weights).flatMap(([address, weight]) => {
      const read = readPlace(address);
      if (!(read instanceof Refusal)) return [endpointOf({ address: read, weight, metadata: {} }, undefined)];
      const params: FormFault = {
        remedy: read.remedy ?? REMEDY,
        general: REMEDY,
        wrongKind: false,
        wantsText: false,
      };
      ctx.addIssue({ code: 'custom', path: [address], message: 'is no address of an instance', params });
      return [];
    }),
  ),
]);

/** Does an instance have all this metadata? */
export const hasMetadata = (
  endpoint: RegisteredEndpoint,
  wanted: Readonly<Record<string, string>>,
): boolean => Object.entries(wanted).every(([key, value]) => endpoint.metadata[key] === value);
