/** Where Redis is and how it is used, as the gateway reads it. */

export interface RedisPlace {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** The server, the Sentinels, or some nodes of the Cluster. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** What the Sentinels call it; '' elsewhere. */
  readonly master: string;
  readonly username: string | null;
  readonly password: string | null;
  readonly db: number;
  readonly tls: boolean;
}

export interface RedisConfig extends RedisPlace {
  /** What every key begins with. */
  readonly prefix: string;
  /** Longest wait of a request for an answer. */
  readonly timeoutMs: number;
}
