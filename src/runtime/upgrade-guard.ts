/** Keeps pages of other sites from opening WebSockets with the cookies of whoever looks at them. */
import type { LiveExchange } from '../pipeline/exchange.ts';
import { compileOrigins, isOwnOrigin } from '../wire/origins.ts';

/** True for an upgrade that may go on. */
export type UpgradeGuard = (x: LiveExchange) => boolean;

/**
 * Makes the guard of a route.
 * @param origins pages that may connect beside those of the same host; null: all
 */
export function createUpgradeGuard(origins: readonly string[] | null): UpgradeGuard | null {
  if (origins === null) return null;
  const isListed = compileOrigins(origins);
  return ({ down, received }) => {
    const { origin } = received.fields;
    // Browsers always say it (RFC 6455 section 4.1), and nothing else is led by a page.
    if (!down.upgrade || origin === undefined) return true;
    return typeof origin === 'string' && (isListed(origin) || isOwnOrigin(origin, received.authority));
  };
}
