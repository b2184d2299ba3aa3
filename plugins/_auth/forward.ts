/** Tells the upstream who asked, by headers that no client can forge. */
import { compileValue, type Exchange, type Principal, type RequestHead, valueText, z } from 'snowgate/plugin';

/** They frame the message, name its target, or are set by the gateway itself. */
const RESERVED = new Set([
  'authorization',
  'connection',
  'content-length',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'keep-alive',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'x-trace-id',
]);

/** The name of a header that a plugin sets; small letters. */
export const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^`|~0-9A-Za-z-]+$/, 'must be a header name, with "-" rather than "_"')
  .transform((text) => text.toLowerCase())
  .refine(
    (text) => !RESERVED.has(text) && !text.startsWith('x-forwarded-'),
    'this header belongs to the gateway',
  );

/** The word that stands for a claim: `sub`, `realm_access.roles` and `["https://x/roles"]` are ways to write one. */
export const wordOf = (claim: string): string =>
  claim.startsWith('[') ? `claims${claim}` : `claims.${claim}`;

/** What words look at where there is no request yet. */
const NO_REQUEST = {
  client: { address: '', scheme: 'http' },
  route: { name: '' },
  params: {},
  received: { method: '', scheme: 'http', authority: '', path: '', query: '', fields: {} },
} as const;

/** Reads a claim of somebody who isn't the request's principal yet. */
export function compileClaim(claim: string): (principal: Principal) => unknown {
  const read = compileValue(wordOf(claim));
  return (principal) => read({ ...NO_REQUEST, principal });
}

/** A setting that names a claim. */
export const claimPath = z.string().superRefine((claim, context) => {
  try {
    compileValue(wordOf(claim));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    context.addIssue({ code: 'custom', message });
  }
});

/** The setting `forward`: claims to header names. */
export const forwardSchema = z
  .record(claimPath, headerName)
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

/**
 * Compiles a `forward` setting.
 * @param by the instance that it belongs to: what another one vouched for has claims of another meaning
 */
export function compileForward(forward: Readonly<Record<string, string>>, by: string): Forwarding {
  const pairs = Object.entries(forward).map(([claim, name]) => ({ read: compileValue(wordOf(claim)), name }));
  return {
    names: pairs.map(({ name }) => name),
    set(x, { fields }) {
      if (x.principal?.by !== by) return;
      for (const { read, name } of pairs) {
        const text = textOf(read(x));
        if (text !== undefined) fields[name] = text;
      }
    },
  };
}
