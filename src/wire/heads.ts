/** Heads of requests and responses, independent of the protocol that carried them. */
import { createFields, type Fields } from './fields.ts';

export interface RequestHead {
  /** As sent, case kept: GET, POST, … */
  method: string;
  scheme: 'http' | 'https';
  /** Lower-case host with the port if one was given, as in the Host field. */
  authority: string;
  /** Begins with `/`; without the query. */
  path: string;
  /** With its `?`, or empty. */
  query: string;
  /** Without `host`, and without hop-by-hop fields. */
  fields: Fields;
}

export interface ResponseHead {
  status: number;
  fields: Fields;
}

/** The other end of a connection. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly secure: boolean;
}

/** A head of its own: a change of it, lists of values included, is none of the other. */
export function copyHead(head: RequestHead): RequestHead {
  const fields = createFields();
  for (const name in head.fields) {
    const value = head.fields[name]!;
    fields[name] = typeof value === 'string' ? value : value.slice();
  }
  return {
    method: head.method,
    scheme: head.scheme,
    authority: head.authority,
    path: head.path,
    query: head.query,
    fields,
  };
}
