/** The schema of `registries` and `discover`: for each kind the keys that all have, and its own. */
import { z } from 'zod';
import { targetUrl } from '../addresses.ts';
import { duration, integer, text } from '../forms.ts';
import { choice, section, table } from '../shapes.ts';
import { REGISTRY_FORMS } from './catalog.ts';
import type { RegistryForm } from './form.ts';

const register = section({
  service: text({ form: 'a name', max: 253 }).describe('Service that the gateway enters itself as.'),
  address: targetUrl().describe('Where others reach this gateway.'),
  id: text({ form: 'a name', max: 253 })
    .optional()
    .describe('Name of this instance; default: from service and address.'),
  weight: integer(0, 65_535).prefault(1).describe('Share of the traffic that it wants.'),
  zone: text({ form: 'a name', max: 64 }).optional().describe('Zone where it stands.'),
  metadata: table(text({ form: 'text' })).describe('What else others shall know.'),
  health: text({ form: 'a URL' })
    .optional()
    .describe('URL where the registry asks whether it is well; default: heartbeats only.'),
  ttl: duration(1000).prefault('30s').describe('After that long without a sign of life it may be forgotten.'),
});

const commonShape = (form: RegistryForm) => ({
  type: choice(form.type).optional().describe('Kind of registry; default: the name of the entry.'),
  confirm: duration(0)
    .prefault(form.confirm)
    .describe(
      'How long an answer that empties a service or takes away over half of it must stay the same to be believed.',
    ),
});

const ofService = {
  registry: text({ form: 'the name of a registry' }).describe(
    'Registry to ask, by its name under `registries`.',
  ),
  service: text({ form: 'the name of a service' }).describe('Service whose endpoints are wanted.'),
};

/** The schema of an entry of `registries` of this kind. */
export const registrySchema = (form: RegistryForm) =>
  section({
    ...commonShape(form),
    ...form.options,
    ...(form.registers && {
      register: register.optional().describe('How the gateway enters itself there; absent: it does not.'),
    }),
  });

/** The schema of a long `discover` through a registry of this kind. */
export const longDiscoverSchema = (form: RegistryForm) => section({ ...ofService, ...form.discover });

/** What `register` says. */
export type RegisterInput = z.output<typeof register>;

/** What every entry says, of whatever kind. */
export interface RegistryInput extends Readonly<Record<string, unknown>> {
  readonly confirm: number;
  readonly register?: RegisterInput;
}

/** A value that is read later, with more knowledge; editors and the docs are told what it may be all the same. */
const later = (schema: z.ZodType) => {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input' });
  return z.unknown().meta(json);
};

const anyOf = (schemas: readonly z.ZodType[]) => later(z.union(schemas));

const forms = [...REGISTRY_FORMS.values()];

export const registriesSchema = table(anyOf(forms.map(registrySchema)));

export const discoverSchema = anyOf([text({ form: 'registry/service' }), ...forms.map(longDiscoverSchema)]);
