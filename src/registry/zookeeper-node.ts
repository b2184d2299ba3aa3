/** One instance in a node of ZooKeeper: Curator's JSON (org.apache.curator.x.discovery), `host:port` or a URL. */

import { z } from 'zod';
import type { SelfRegistration } from '../config/types.ts';
import { place } from './entry.ts';
import { isSecure, type Metadata, metadataOf, ownMetadata, weightOf, zoneOf } from './metadata.ts';
import type { RegisteredEndpoint } from './registry.ts';

const port = z.number().int().min(0).nullish();

const curatorInstance = z.object({
  id: z.string().min(1).nullish(),
  address: z.string().min(1),
  port,
  sslPort: port,
  enabled: z.boolean().default(true),
  payload: z.unknown().optional(),
});

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Spring Cloud puts a map into the payload; others make the payload one. */
const metadataIn = (payload: unknown): Metadata => {
  if (!isMap(payload)) return metadataOf(null);
  return metadataOf(isMap(payload.metadata) ? payload.metadata : payload);
};

const parse = (text: string): z.output<typeof curatorInstance> => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`is no JSON: ${(error as Error).message}`);
  }
  const read = curatorInstance.safeParse(value);
  if (read.success) return read.data;
  const [first] = read.error.issues;
  throw new Error(`is no instance of Curator's: ${first?.path.join('.')}: ${first?.message}`);
};

const fromCurator = (name: string, text: string, secureOnly: boolean): RegisteredEndpoint => {
  const { id, address, port: plain, sslPort, enabled, payload } = parse(text);
  const metadata = metadataIn(payload);
  const secure = secureOnly || !plain;
  const used = secure ? sslPort : plain;
  if (!used) throw new Error(secureOnly ? 'has no sslPort' : 'has neither port nor sslPort');
  return {
    id: id ?? name,
    scheme: secure || isSecure(metadata) ? 'https' : 'http',
    host: address,
    port: used,
    // Curator's way to take an instance out without taking it away.
    weight: enabled ? weightOf(metadata) : 0,
    zone: zoneOf(metadata),
    metadata,
  };
};

/**
 * Reads one node.
 * @param name of the node, which says where the instance is when the node is empty
 * @param secureOnly the secure port is wanted
 * @throws Error that goes on after the path of the node: `is …`, `has …`
 */
export function readNode(name: string, data: Uint8Array, secureOnly: boolean): RegisteredEndpoint {
  const text = Buffer.from(data).toString('utf8').trim() || name;
  if (text.startsWith('{')) return fromCurator(name, text, secureOnly);
  const read = place().safeParse(text);
  if (!read.success) throw new Error(`is neither JSON nor host:port: ${text.slice(0, 100)}`);
  const { scheme, host, port } = read.data;
  return {
    id: name,
    scheme: scheme ?? (secureOnly ? 'https' : 'http'),
    host,
    port,
    weight: 1,
    zone: null,
    metadata: metadataOf(null),
  };
}

/** What the node of the gateway's own entry holds. */
export function writeNode(self: SelfRegistration, nowMs: number): Buffer {
  const { id, service, endpoint, metadata } = self;
  const secure = endpoint.scheme === 'https';
  return Buffer.from(
    JSON.stringify({
      name: service,
      id,
      address: endpoint.host,
      port: secure ? null : endpoint.port,
      sslPort: secure ? endpoint.port : null,
      payload: ownMetadata(metadata, endpoint),
      registrationTimeUTC: nowMs,
      serviceType: 'DYNAMIC',
      uriSpec: null,
    }),
  );
}
