/** The settings of a ZooKeeper registry. */
import { readAddress } from '../addresses.ts';
import { duration, flag, form, Refusal, text } from '../forms.ts';
import { oneOrMany, section } from '../shapes.ts';
import type { Address } from '../types.ts';
import { metadataFilter } from './file.ts';
import type { RegistryForm } from './form.ts';

const isPath = (value: string): boolean =>
  value === '/' ||
  (/^\/.*[^/]$/.test(value) &&
    !value
      .split('/')
      .slice(1)
      .some((part) => /^\.{0,2}$/.test(part)));

const SERVER = 'Write host:port, such as 10.0.0.1:2181 or "[::1]:2181".';

const readServer = (value: string): Address | Refusal => {
  const read = readAddress(value);
  return read instanceof Refusal ? new Refusal(read.message, SERVER) : read;
};

const server = form<Address>({
  form: 'host:port',
  json: { type: 'string' },
  takes: ['string'],
  remedy: SERVER,
  read: (value) => readServer(value as string),
});

export const zookeeper = {
  type: 'zookeeper',
  summary: "The nodes below a service's node in ZooKeeper: Curator's JSON, or host:port.",
  options: {
    address: oneOrMany(server)
      .prefault('127.0.0.1:2181')
      .describe('Servers of one ensemble, as host:port; another one is asked when one fails.'),
    root: text({
      form: 'a path',
      max: 1024,
      check: (value) => (isPath(value) ? null : new Refusal('is no path', 'Write a path such as /services.')),
    })
      .prefault('/services')
      .describe('Node below which there is a node for each service.'),
    session: duration(1000)
      .prefault('10s')
      .describe(
        'How long a session outlives its connection; a silent server is left after two thirds of it.',
      ),
    digest: section({
      user: text({ form: 'a name', max: 253 }).describe('Name of the user.'),
      password: text({ form: 'a password', max: 1024 }).describe('Password of the user.'),
    })
      .optional()
      .describe(
        'Who the gateway is in access lists of the scheme `digest`; what it writes only that user can change.',
      ),
  },
  discover: {
    secure: flag()
      .prefault(false)
      .describe('Use the secure port (`sslPort`) only; otherwise it is used where there is no plain one.'),
    metadata: metadataFilter(),
  },
  registers: true,
  confirm: '30s',
} as const satisfies RegistryForm;
