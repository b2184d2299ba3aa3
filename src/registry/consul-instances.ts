/** From Consul's answer about the health of a service to endpoints. */
import { z } from 'zod';
import { isSecure, metadataOf, zoneOf } from './metadata.ts';
import type { RegisteredEndpoint } from './registry.ts';

const meta = z.record(z.string(), z.string()).nullish();
const locality = z.object({ Zone: z.string().optional() }).nullish();

const instance = z.object({
  Node: z.object({ Node: z.string().min(1), Address: z.string(), Meta: meta, Locality: locality }),
  Service: z.object({
    ID: z.string().min(1),
    Address: z.string(),
    Port: z.number(),
    Meta: meta,
    Weights: z.object({ Passing: z.number().min(0), Warning: z.number().min(0) }).nullish(),
    Locality: locality,
  }),
  Checks: z.array(z.object({ CheckID: z.string(), Status: z.string() })).nullish(),
});

/** The answer to `/v1/health/service/NAME`. */
export const consulInstances = z.array(instance);

type Instance = z.output<typeof instance>;

/** Consul enters maintenance as a critical check of the node or of the service. */
const isMaintenance = (checkId: string): boolean => /^_(node|service)_maintenance(:|$)/.test(checkId);

/** By the worst of its checks; null for an instance that is not to be used at all. In maintenance it drains. */
const weightOf = ({ Service, Checks }: Instance): number | null => {
  const bad = (Checks ?? []).filter((check) => check.Status !== 'passing');
  if (bad.some((check) => check.Status !== 'warning'))
    return bad.every((check) => isMaintenance(check.CheckID)) ? 0 : null;
  const { Passing = 1, Warning = 1 } = Service.Weights ?? {};
  return bad.length > 0 ? Warning : Passing;
};

const endpointOf = (instance: Instance, secure: boolean): RegisteredEndpoint | null => {
  const { Node, Service } = instance;
  const weight = weightOf(instance);
  if (weight === null) return null;
  const metadata = metadataOf(Service.Meta);
  return {
    // The names of services are unique on their node only.
    id: `${Node.Node}/${Service.ID}`,
    scheme: secure || isSecure(metadata) ? 'https' : 'http',
    host: Service.Address || Node.Address,
    port: Service.Port,
    weight,
    zone:
      zoneOf(metadata) ?? (Service.Locality?.Zone || Node.Locality?.Zone || zoneOf(metadataOf(Node.Meta))),
    metadata,
  };
};

/**
 * The instances that take requests or drain.
 * @param secure all of them speak HTTPS
 */
export const endpointsOf = (answer: readonly Instance[], secure: boolean): RegisteredEndpoint[] =>
  answer.flatMap((each) => endpointOf(each, secure) ?? []);
