/** The forms of all kinds of registries, by type. */
import { dns } from './dns.ts';
import { file } from './file.ts';
import type { RegistryForm } from './form.ts';
import { push } from './push.ts';

const FORMS: readonly RegistryForm[] = [file, push, dns];

export const REGISTRY_FORMS: ReadonlyMap<string, RegistryForm> = new Map(
  FORMS.map((form) => [form.type, form]),
);
