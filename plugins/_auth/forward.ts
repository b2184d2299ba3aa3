/** Tells the upstream who asked, by headers that no client can forge. */
import { compileValue, type Exchange, type RequestHead, valueText, z } from 'snowgate/plugin';

/** They frame the message or name its target. */
const RESERVED = new Set([
  'connection',
  'content-length',
  'cookie',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The name of a header that a plugin sets; small letters. */
export const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^`|~0-9A-Za-z-]+$/, 'must be a header name, with "-" rather than "_"')
  .transform((text) => text.toLowerCase())
  .refine((text) => !RESERVED.has(text), 'this header belongs to the gateway');

const wordOf = (claim: string): string => (claim.startsWith('[') ? `claims${claim}` : `claims.${claim}`);

/** The setting `forward`: claims, as in `claims.…`, to header names. */
export const forwardSchema = z
  .record(
    z.string().superRefine((claim, context) => {
      try {
        compileValue(wordOf(claim));
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        context.addIssue({ code: 'custom', message });
      }
    }),
    headerName,
  )
  .default({})
  .describe(
    'Claims that the upstream gets as headers, such as { sub: x-user }; what clients send under these names is removed.',
  );

/** What a claim says must not break out of its line, nor one entry of a list look like two. */
const safely = (text: string): string =>
  text.replaceAll(/[^\x20-\x7e]+/g, (odd) => encodeURIComponent(odd.toWellFormed()));

const textOf = (value: unknown): string | undefined => {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value) && value.every((one) => typeof one !== 'object')) {
    return value.map((one) => safely(String(one)).replaceAll(',', '%2C')).join(',');
  }
  return safely(valueText(value) ?? JSON.stringify(value));
};

export interface Forwarding {
  /** For `Hooks.reserves`. */
  readonly names: readonly string[];
  /** Writes the headers of `x.principal`. */
  set(x: Exchange, head: RequestHead): void;
}

/** Compiles a `forward` setting. */
export function compileForward(forward: Readonly<Record<string, string>>): Forwarding {
  const pairs = Object.entries(forward).map(([claim, name]) => ({ read: compileValue(wordOf(claim)), name }));
  return {
    names: pairs.map(({ name }) => name),
    set(x, { fields }) {
      for (const { read, name } of pairs) {
        const text = textOf(read(x));
        if (text !== undefined) fields[name] = text;
      }
    },
  };
}
