/** Where an upstream's instances are, as a configuration or a registry gives it. */

export interface EndpointSpec {
  readonly scheme: 'http' | 'https';
  /** A name or an address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Share of the traffic; 0 takes no new requests. */
  readonly weight: number;
  /** Where it stands, for balancers that stay near; absent or null when nobody said. */
  readonly zone?: string | null;
}

/** `host:port`, IPv6 in brackets: how logs and metrics name the endpoint. */
export function endpointName(spec: EndpointSpec): string {
  return spec.host.includes(':') ? `[${spec.host}]:${spec.port}` : `${spec.host}:${spec.port}`;
}
