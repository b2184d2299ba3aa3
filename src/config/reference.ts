/** Writes docs/config.md: every key of gateway.yaml with its form, its default and what it is for. */
import { rawSchema, type SchemaNode, schemaNode } from './json-schema.ts';
import { REGISTRY_FORMS } from './registries/catalog.ts';
import { longDiscoverSchema, registrySchema } from './registries/schema.ts';

const INTRO = `# gateway.yaml

One file says what the gateway does. Every key has a safe default; a key that is not listed here is refused, with the
place in the file and the key that was probably meant. This page is generated from the schema: \`snowgate schema\`
prints the same as JSON Schema, so that editors complete and check the file when its first line is

\`\`\`yaml
# yaml-language-server: $schema=./gateway.schema.json
\`\`\`

The file and every file that it names are watched. A good change is in force at once, with no request dropped; a bad
one is told and changes nothing. \`snowgate check\` tells what is wrong without starting anything.

## Forms

| Form | Written as |
|---|---|
| duration | \`250ms\`, \`5s\`, \`1m\` (also \`1min\`), \`1h\`, \`1d\`; a day at most |
| size | \`64KiB\`, \`10MiB\`, \`1GiB\` (1024), \`10MB\` (1000), or a number of bytes |
| percentage | \`10%\`, \`0.5%\` |
| address | \`host:port\`: \`127.0.0.1:8080\`, \`localhost:8080\`, \`"[::1]:8080"\` (with quotes); port 0 lets the system choose |
| target | \`http://host:port\` or \`https://host:port\`; without a port 80 or 443; no path |
| host | \`shop.example\`, \`"*.shop.example"\`, \`"{tenant}.shop.example"\`; case does not count |
| path | \`/a\` (only that), \`/a/*\` (one segment more), \`/a/{id}\` (one segment, by name), \`/a/**\` (\`/a\` and all under it) |

## Replacements

| Written | Becomes |
|---|---|
| \`\${NAME}\` | the environment variable; an error where it is not set |
| \`\${NAME:-text}\` | the same, or \`text\` where it is not set or empty |
| \`\${file:/run/secrets/key}\` | what the file holds, without its last line end; from the folder of this file unless absolute |
| \`$\${\` | \`\${\` itself |

They are made in values and keys after the file has been read as YAML, so what is put in can never add a key or a line,
and is not looked at again. A value that is one whole \`\${…}\` without quotes is a number or a boolean where it looks
like one; with quotes, or from a file, it is text. In \`{ … }\` and \`[ … ]\` YAML wants quotes around it:
\`{ connections: "\${LIMIT}" }\` works too. What came from a file, or from a variable whose name looks like a secret, is
never shown again.

Anchors, aliases and merge keys (\`<<: *base\`) work; tags and several documents in one file do not.
`;

const OUTRO = `
## Plugins

A key under \`plugins\` names an instance and is the name of the plugin, unless \`type\` says otherwise. The same name in a
narrower scope (the whole gateway, then an upstream, then a route) replaces the wider one, \`false\` takes it away, other
names add. The settings are the plugin's own: see plugins.md.
`;

const cell = (text: string): string => text.replaceAll('|', '\\|');
const code = (text: string): string => `\`${text}\``;

/** The section that a key holds, where it may also hold a plain word such as `off`. */
const sectionOr = (node: SchemaNode): SchemaNode | undefined => node.anyOf?.find(hasRows);

/** A map of one key is told in a word. */
const hasRows = (node: SchemaNode): boolean => Object.keys(node.properties ?? {}).length > 1;

const isSection = (node: SchemaNode): boolean =>
  node.properties !== undefined ||
  node.items?.properties !== undefined ||
  (typeof node.additionalProperties === 'object' && node.additionalProperties.properties !== undefined);

/** The word for the form of a value. */
const formOf = (node: SchemaNode): string => {
  if (node.form !== undefined) return node.form;
  if (node.anyOf !== undefined)
    return [...new Set(node.anyOf.map((way) => (hasRows(way) ? 'see below' : formOf(way))))].join(', or ');
  if (node.items !== undefined)
    return node.items.properties === undefined ? `a list, each ${formOf(node.items)}` : 'a list of maps';
  if (typeof node.additionalProperties === 'object' && node.additionalProperties.form !== undefined)
    return `a map of name to ${node.additionalProperties.form}`;
  if (node.properties !== undefined && Object.keys(node.properties).length === 1)
    return `\`{ ${Object.keys(node.properties)[0]} }\``;
  return 'a map';
};

const plainDefault = (value: unknown): string | null => {
  if (Array.isArray(value)) return value.length === 0 ? null : `[${value.join(', ')}]`;
  return typeof value === 'object' || value === '' ? null : String(value);
};

const defaultOf = (node: SchemaNode, required: boolean): string => {
  if (required) return 'required';
  const text = node.default === undefined ? null : plainDefault(node.default);
  return text === null ? '–' : code(text);
};

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

/** The table of a section, then those of the sections in it. */
const describe = (node: SchemaNode, path: string, lines: string[]): void => {
  const inner = Object.entries(node.properties ?? {});
  const required = new Set(node.required ?? []);
  lines.push('', '| Key | Form | Default | |', '|---|---|---|---|');
  for (const [key, value] of inner)
    lines.push(
      `| ${code(join(path, key))} | ${cell(isSection(value) ? 'see below' : formOf(value))} | ${cell(
        isSection(value) ? '–' : defaultOf(value, required.has(key)),
      )} | ${cell(value.description ?? '')} |`,
    );
  for (const [key, value] of inner) {
    const within = sectionOr(value) ?? value;
    if (!isSection(within)) continue;
    const at = join(path, key);
    const [below, name] =
      within.properties !== undefined
        ? [within, at]
        : value.items?.properties !== undefined
          ? [value.items, `${at}[]`]
          : [value.additionalProperties as SchemaNode, `${at}.NAME`];
    lines.push('', `## ${code(name)}`, '', value.description ?? '');
    describe(below, name, lines);
  }
};

/** Each kind of registry has keys of its own. */
const describeRegistries = (lines: string[]): void => {
  for (const form of REGISTRY_FORMS.values()) {
    lines.push('', `## \`registries.NAME\` of type \`${form.type}\``, '', form.summary);
    describe(schemaNode(registrySchema(form)), 'registries.NAME', lines);
    lines.push('', `What \`discover\` may say of it in its long form:`);
    describe(schemaNode(longDiscoverSchema(form)), 'upstreams.NAME.discover', lines);
  }
};

/** The whole page, as Markdown. */
export function configDocument(): string {
  const lines: string[] = ['', '## Keys'];
  describe(rawSchema(), '', lines);
  describeRegistries(lines);
  return `${INTRO}${lines.join('\n')}\n${OUTRO}`;
}
