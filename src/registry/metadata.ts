/** What the metadata of an instance say of it, whichever registry keeps them. */
import type { EndpointSpec } from '../wire/endpoint.ts';

export type Metadata = Readonly<Record<string, string>>;

const MOST_KEYS = 64;
const MOST_TEXT = 1_024;
const MOST_WEIGHT = 1_000_000;

/** The texts among the values, as many and as long as is reasonable; without a prototype. */
export function metadataOf(raw: Readonly<Record<string, unknown>> | null | undefined): Metadata {
  const metadata: Record<string, string> = Object.create(null);
  let left = MOST_KEYS;
  for (const [key, value] of Object.entries(raw ?? {})) {
    const text = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
    // Java's codecs put the name of a class there.
    if (key === '@class' || typeof text !== 'string' || key.length > MOST_TEXT || text.length > MOST_TEXT)
      continue;
    if (left-- === 0) break;
    metadata[key] = text;
  }
  return metadata;
}

/** The share of the traffic that it wants by `weight`, or 1. */
export function weightOf(metadata: Metadata): number {
  const weight = /^\d{1,7}(\.\d{1,6})?$/.test(metadata.weight ?? '') ? Number(metadata.weight) : 1;
  return Math.min(weight, MOST_WEIGHT);
}

/** Where it stands by `zone`, or null. */
export const zoneOf = (metadata: Metadata): string | null => metadata.zone || null;

/** Does it want to be spoken to by HTTPS, by `protocol`, `scheme` or `secure`? */
export const isSecure = (metadata: Metadata): boolean =>
  metadata.protocol === 'https' || metadata.scheme === 'https' || metadata.secure === 'true';

/** What the gateway writes into the metadata of its own entry, beside those of the file. */
export const ownMetadata = (metadata: Metadata, { scheme, weight, zone }: EndpointSpec): Metadata => ({
  ...metadata,
  protocol: scheme,
  weight: String(weight),
  ...(zone && { zone }),
});
