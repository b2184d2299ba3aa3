/** From an entry of `registries` and a `discover` to what the gateway reads, with their checks. */
import { endpointName } from '../../wire/endpoint.ts';
import { Refusal } from '../forms.ts';
import { isMap, parsePart } from '../parse-part.ts';
import type { Scope } from '../scope.ts';
import { meant } from '../suggest.ts';
import { readTls, type TlsInput } from '../tls.ts';
import type { ConfigPath, Discover, RegistryConfig, SelfRegistration } from '../types.ts';
import type { RegistryForm } from './form.ts';
import type { RegistryPart } from './parse.ts';
import { longDiscoverSchema, type RegisterInput } from './schema.ts';

const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/;
const MAX_SERVICE = 253;

const readRegister = (scope: Scope, input: RegisterInput, path: ConfigPath): SelfRegistration => {
  const { service, weight, zone = null } = input;
  const health = input.health ?? null;
  if (health !== null && !(URL.canParse(health) && /^https?:\/\//i.test(health)))
    scope.report.on([...path, 'health'], {
      message: `${scope.report.show([...path, 'health'], health)} is no URL that can be asked`,
      remedy: 'Write a URL such as http://10.0.0.5:8081/readyz.',
    });
  return {
    service,
    id: input.id ?? `${service}-${endpointName(input.address).replace(/[^A-Za-z0-9.]+/g, '-')}`,
    endpoint: { ...input.address, weight, zone },
    metadata: input.metadata,
    healthUrl: health,
    ttlMs: input.ttl,
  };
};

/** Reads one registry; its mistakes are reported. */
export function readRegistry(scope: Scope, name: string, { form, part }: RegistryPart): RegistryConfig {
  const path = ['registries', name];
  const { confirm, register, type: _, ...options } = part.input;
  const { tls, ...rest } = options;
  if (!NAME.test(name))
    scope.report.onKey(path, {
      message: 'the name of a registry is 1 to 64 letters, digits, `.`, `_` and `-`',
      remedy: 'Choose another name.',
    });
  return {
    name,
    type: form.type,
    options: rest,
    tls: tls === undefined ? null : readTls(scope, tls as TlsInput, [...path, 'tls']),
    confirmMs: confirm,
    register: register === undefined ? null : readRegister(scope, register, [...path, 'register']),
    path,
  };
}

export interface DiscoverScope extends Pick<Scope, 'report'> {
  /** By name; null for those with mistakes of their own. */
  readonly registries: ReadonlyMap<string, RegistryForm | null>;
}

/** What a message is about: a value, or a key of a split. */
interface Place {
  readonly path: ConfigPath;
  readonly key: boolean;
}

const SHAPE = 'Write registry/service, such as consul/orders.';

const tell = ({ report }: DiscoverScope, at: Place, message: string, remedy: string | null): null => {
  if (at.key) report.onKey(at.path, { message, remedy });
  else report.on(at.path, { message, remedy });
  return null;
};

const checkName = (form: RegistryForm, service: string): Refusal | null => {
  if (service === '' || service.length > MAX_SERVICE) return new Refusal('is no name of a service', SHAPE);
  if (/[\s?#\\]/.test(service) || service.split('/').some((part) => /^\.{0,2}$/.test(part)))
    return new Refusal('is no name of a service', SHAPE);
  return form.checkService?.(service) ?? null;
};

/** Does the registry exist? Undefined when not, which is then reported. */
const formOf = (scope: DiscoverScope, registry: string, at: Place): RegistryForm | null | undefined => {
  const form = scope.registries.get(registry);
  if (form !== undefined) return form;
  const names = [...scope.registries.keys()];
  const known = meant(registry, names) ?? 'Add it under `registries`.';
  tell(
    scope,
    at,
    `there is no registry \`${registry}\``,
    names.length === 0 ? 'Add it under `registries`.' : known,
  );
  return undefined;
};

/** Reads `registry/service`; null when it is wrong, which is then reported. */
export function readShortDiscover(scope: DiscoverScope, word: string, at: Place): Discover | null {
  const { report } = scope;
  const shown = at.key ? report.showKey(at.path) : report.show(at.path, word);
  const slash = word.indexOf('/');
  if (slash < 1) return tell(scope, at, `${shown} is not registry/service`, SHAPE);
  const [registry, service] = [word.slice(0, slash), word.slice(slash + 1)];
  const form = formOf(scope, registry, at);
  if (form === undefined || form === null) return null;
  const refused = checkName(form, service);
  if (refused !== null) return tell(scope, at, `the service of ${shown} ${refused.message}`, refused.remedy);
  const options = longDiscoverSchema(form).parse({ registry, service });
  return split(options);
}

const split = (input: Readonly<Record<string, unknown>>): Discover => {
  const { registry, service, ...options } = input;
  return { registry: String(registry), service: String(service), options };
};

/** Reads a `discover` of either form; null when it is wrong, which is then reported. */
export function readDiscover(scope: DiscoverScope, value: unknown, path: ConfigPath): Discover | null {
  const { report } = scope;
  const at = { path, key: false };
  if (typeof value === 'string') return readShortDiscover(scope, value, at);
  if (!isMap(value))
    return tell(
      scope,
      at,
      `${report.show(path, value)} is neither registry/service nor a map of keys`,
      SHAPE,
    );
  const named = typeof value.registry === 'string' ? value.registry : null;
  const form = named === null ? null : formOf(scope, named, { path: [...path, 'registry'], key: false });
  if (form === undefined) return null;
  if (named === null)
    return tell(scope, at, '`registry` is missing', 'Name one of those under `registries`.');
  // What its options may be is not known before the registry's own mistakes are mended.
  if (form === null) return null;
  const read = parsePart(report, longDiscoverSchema(form), { [path.at(-1)!]: value }, path);
  if (read === undefined) return null;
  const discover = split(read);
  const refused = checkName(form, discover.service);
  const place = [...path, 'service'];
  return refused === null
    ? discover
    : tell(
        scope,
        { path: place, key: false },
        `${report.show(place, discover.service)} ${refused.message}`,
        refused.remedy,
      );
}
