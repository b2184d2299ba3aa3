/** The forms of all kinds of registries, by type. */
import { consul } from './consul.ts';
import { dns } from './dns.ts';
import { eureka } from './eureka.ts';
import { file } from './file.ts';
import type { RegistryForm } from './form.ts';
import { push } from './push.ts';
import { zookeeper } from './zookeeper.ts';

const FORMS: readonly RegistryForm[] = [file, push, dns, consul, zookeeper, eureka];

export const REGISTRY_FORMS: ReadonlyMap<string, RegistryForm> = new Map(
  FORMS.map((form) => [form.type, form]),
);
