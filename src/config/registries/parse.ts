/** Parses the entries of `registries`, each by the form of its kind. */
import { isMap, type Part, parseMap, parsePart } from '../parse-part.ts';
import type { Report } from '../report.ts';
import { section } from '../shapes.ts';
import { meant, suggest } from '../suggest.ts';
import { REGISTRY_FORMS } from './catalog.ts';
import type { RegistryForm } from './form.ts';
import { type RegistryInput, registriesSchema, registrySchema } from './schema.ts';

export interface RegistryPart {
  readonly form: RegistryForm;
  readonly part: Part<RegistryInput>;
}

const formOf = (report: Report, entry: Record<string, unknown>, name: string): RegistryForm | null => {
  const path = ['registries', name];
  const said = entry.type ?? name;
  const form = typeof said === 'string' ? REGISTRY_FORMS.get(said) : undefined;
  if (form !== undefined) return form;
  const types = [...REGISTRY_FORMS.keys()];
  if (entry.type !== undefined && entry.type !== null)
    report.on([...path, 'type'], {
      message: `there is no kind of registry ${report.show([...path, 'type'], said)}`,
      remedy: meant(String(said), types),
    });
  else {
    const near = suggest(name, types);
    report.onKey(path, {
      message: `${report.showKey(path)} is no kind of registry, so it needs a \`type\``,
      remedy: near === null ? `Add \`type\`: one of ${types.join(', ')}.` : `Did you mean \`${near}\`?`,
    });
  }
  return null;
};

const parseRegistry = (
  report: Report,
  entries: Record<string, unknown>,
  name: string,
): RegistryPart | null => {
  const path = ['registries', name];
  const entry = entries[name] ?? {};
  if (!isMap(entry)) {
    parsePart(report, section({}), entries, path);
    return null;
  }
  const form = formOf(report, entry, name);
  if (form === null) return null;
  const part = parseMap(report, registrySchema(form), entries, path);
  // Each form's own schema gives what `RegistryInput` says, with the keys of its kind beside it.
  return part === null ? null : { form, part: part as Part<RegistryInput> };
};

/** Parses all entries; what is wrong is reported, and null in the map. */
export function parseRegistries(
  report: Report,
  holder: Record<string, unknown>,
): ReadonlyMap<string, RegistryPart | null> {
  const entries = holder.registries ?? {};
  if (!isMap(entries)) {
    parsePart(report, registriesSchema, holder, ['registries']);
    return new Map();
  }
  return new Map(Object.keys(entries).map((name) => [name, parseRegistry(report, entries, name)]));
}
