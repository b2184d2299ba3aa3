/** Those who are let in by what the gateway itself knows of them: in the settings, or in a file of their own. */
import { readFileSync } from 'node:fs';
import { type Host, type Principal, z } from 'snowgate/plugin';
import { LineCounter, parseDocument } from 'yaml';
import { freeze } from './verified.ts';

const MOST_BYTES = 16 * 1024 * 1024;

const id = z.string().regex(/^[\x21-\x7e]{1,128}$/, 'must be a name of 1 to 128 plain characters');

const scopes = z.array(z.string().min(1)).default([]);

/** Beside the secret: `scopes`, and anything else as a claim. */
export const consumerOf = <S extends z.ZodRawShape>(secret: S) =>
  z
    .object({ ...secret, scopes })
    .catchall(z.unknown())
    .refine((one) => !('id' in one) && !('sub' in one), 'id and sub are the name of the entry');

/** The setting: a map of names, or a file that holds one. */
export const consumersSchema = <E extends z.ZodType>(entry: E) =>
  z.union([z.string().min(1), z.record(id, entry)]);

/** All that is wrong with a file, each with its place. */
const placed = (
  file: string,
  text: string,
  issues: readonly { offset: number; message: string }[],
): Error => {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  const told = issues.slice(0, 5).map(({ offset, message }) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}: ${message}`;
  });
  return new Error(told.join('; '));
};

/** @throws Error with the places of what is wrong */
const readFile = <E>(file: string, entry: z.ZodType<E>, host: Host): Record<string, E> => {
  const text = readFileSync(host.file(file), 'utf8');
  if (text.length > MOST_BYTES) throw new Error(`${file} is larger than ${MOST_BYTES} bytes`);
  const document = parseDocument(text, { prettyErrors: false });
  if (document.errors.length > 0)
    throw placed(
      file,
      text,
      document.errors.map(({ pos, message }) => ({ offset: pos[0], message })),
    );
  const parsed = z.record(id, entry).safeParse(document.toJS({ maxAliasCount: 100 }) ?? {});
  if (parsed.success) return parsed.data;
  const offsetOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true) as { range?: [number] } | undefined;
      if (node?.range !== undefined) return node.range[0];
    }
    return 0;
  };
  const issues = parsed.error.issues.map(({ path, message }) => ({
    offset: offsetOf(path),
    message: `${path.map(String).join('.')}: ${message}`,
  }));
  throw placed(file, text, issues);
};

/**
 * Gives the entries, by their names.
 * @throws Error when the file cannot be read, with the places of what is wrong in it
 */
export function readConsumers<E>(
  given: string | Readonly<Record<string, E>>,
  entry: z.ZodType<E>,
  host: Host,
): ReadonlyMap<string, E> {
  return new Map(Object.entries(typeof given === 'string' ? readFile(given, entry, host) : given));
}

/** What is known of an entry, without its secret. */
export function principalOf(
  name: string,
  entry: Readonly<Record<string, unknown>> & { readonly scopes: readonly string[] },
  { secret, by }: { secret: string; by: string },
): Principal {
  const known = Object.entries(entry).filter(([key]) => key !== secret && key !== 'scopes');
  return freeze({ id: name, claims: { ...Object.fromEntries(known), sub: name }, scopes: entry.scopes, by });
}
