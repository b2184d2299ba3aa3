/** The JSON Schema of gateway.yaml, for editors: the file's own forms, unknown keys refused. */
import { z } from 'zod';
import { fileSchema } from './schema.ts';

/** A node of JSON Schema as far as we make them. */
export interface SchemaNode {
  readonly [keyword: string]: unknown;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  /** Our own word: how the docs call the form of a value. */
  readonly form?: string;
}

/** A schema as zod gives it, with `form` on each value. */
export function schemaNode(schema: z.ZodType): SchemaNode {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'throw' }) as unknown as SchemaNode;
}

/** The schema of the whole file. */
export const rawSchema = (): SchemaNode => schemaNode(fileSchema);

/** A `${…}` may stand for any plain value. */
const REPLACEMENT: SchemaNode = { type: 'string', pattern: String.raw`\$\{` };

const isPlain = (node: SchemaNode): boolean =>
  node.enum !== undefined ||
  (typeof node.type === 'string' && ['integer', 'number', 'boolean'].includes(node.type)) ||
  node.pattern !== undefined;

const mapValues = <V, W>(from: Readonly<Record<string, V>>, to: (value: V) => W): Record<string, W> =>
  Object.fromEntries(Object.entries(from).map(([key, value]) => [key, to(value)]));

const forEditors = (node: SchemaNode): SchemaNode => {
  const { form: _form, propertyNames: _names, description, default: standard, anyOf, ...rest } = node;
  const outside = {
    ...(description === undefined ? {} : { description }),
    ...(standard === undefined ? {} : { default: standard }),
  };
  if (anyOf !== undefined) {
    const ways = anyOf.map(forEditors).flatMap((way) => way.anyOf ?? [way]);
    const seen = new Set<string>();
    const distinct = ways.filter((way) => !seen.has(JSON.stringify(way)) && seen.add(JSON.stringify(way)));
    return { ...outside, ...rest, anyOf: distinct };
  }
  if (isPlain(node)) return { ...outside, anyOf: [rest, REPLACEMENT] };
  const { properties, additionalProperties, items, type } = rest;
  return {
    ...outside,
    ...rest,
    // `plugins:` with nothing under it is an empty map.
    ...(type === 'object' && standard !== undefined ? { type: ['object', 'null'] } : {}),
    ...(properties === undefined ? {} : { properties: mapValues(properties, forEditors) }),
    ...(items === undefined ? {} : { items: forEditors(items) }),
    ...(typeof additionalProperties === 'object'
      ? { additionalProperties: forEditors(additionalProperties) }
      : {}),
  };
};

/** The JSON Schema (2020-12) of the file. */
export function configJsonSchema(): object {
  const { $schema, ...schema } = forEditors(rawSchema());
  return { $schema, title: 'Snowgate gateway.yaml', ...schema };
}
