/** The settings of a DNS registry. */
import { isIP } from 'node:net';
import { readAddress } from '../addresses.ts';
import { duration, form, integer, Refusal } from '../forms.ts';
import { choice, oneOrMany } from '../shapes.ts';
import type { Address } from '../types.ts';
import type { RegistryForm } from './form.ts';

const readServer = (value: string): Address | Refusal => {
  if (isIP(value) !== 0) return { host: value, port: 53 };
  const read = readAddress(value);
  if (read instanceof Refusal) return read;
  return isIP(read.host) === 0 ? new Refusal('names no address, and its name cannot be looked up') : read;
};

const server = form<Address>({
  form: 'an address, with or without a port',
  json: { type: 'string' },
  takes: ['string'],
  remedy: 'Write an address such as 10.0.0.2 or 127.0.0.1:8600.',
  read: (value) => readServer(value as string),
});

const MAX_NAME = 253;

/** Host names and `_service._proto` in front of them; a port may follow an address name. */
const checkService = (service: string): Refusal | null => {
  const name = service.replace(/:\d{1,5}$/, '');
  const fine =
    name.length <= MAX_NAME &&
    name.split('.').every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));
  return fine
    ? null
    : new Refusal(
        'is no name of DNS',
        'Write a name such as _http._tcp.orders.example or orders.example:8080.',
      );
};

export const dns = {
  type: 'dns',
  summary: 'SRV records with their priorities, weights and ports, or addresses with a port of yours.',
  options: {
    address: oneOrMany(server)
      .optional()
      .describe('Name servers, asked in this order; default: those of the system.'),
    timeout: duration(10)
      .prefault('1s')
      .describe('Until a name server has answered, before the next is asked.'),
    transport: choice('udp', 'tcp')
      .prefault('udp')
      .describe(
        'How they are asked; tcp for those that cut long answers short and do not say so, as Consul does.',
      ),
  },
  discover: {
    record: choice('auto', 'srv', 'address')
      .prefault('auto')
      .describe('What is asked for: SRV, or A and AAAA; auto: SRV where the name begins with `_`.'),
    port: integer(1, 65_535)
      .optional()
      .describe('Port of the endpoints for A and AAAA; default: the one after the name, else 80 or 443.'),
    protocol: choice('http', 'https').prefault('http').describe('How the endpoints are spoken to.'),
  },
  registers: false,
  confirm: '30s',
  checkService,
} as const satisfies RegistryForm;
