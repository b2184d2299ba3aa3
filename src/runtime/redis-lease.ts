/** The connection to Redis that a configuration names, shared by everything that runs on it. */
import { hash } from 'node:crypto';
import { RedisConnection } from '../clients/redis.ts';
import type { Config } from '../config/types.ts';
import type { Lease } from '../kernel/table.ts';
import type { Estate } from './estate.ts';

/** What tells one connection from another; a digest, since the settings hold a password. '' without Redis. */
export function redisKey({ redis }: Pick<Config, 'redis'>): string {
  return redis === null ? '' : hash('sha256', JSON.stringify(redis));
}

/**
 * Shares the connection, or opens it; null where the configuration names none.
 * @param rehearsal nothing is connected, so the connection is never up
 */
export async function acquireRedis(
  estate: Estate,
  config: Config,
  rehearsal: boolean,
): Promise<Lease<RedisConnection> | null> {
  const { redis: settings } = config;
  if (settings === null) return null;
  const { redis, clock, random, log } = estate;
  return redis.acquire(redisKey(config), async () => {
    const connection = new RedisConnection(settings, 'snowgate-limits', { clock, random, log });
    if (!rehearsal) await connection.open();
    return connection;
  });
}
