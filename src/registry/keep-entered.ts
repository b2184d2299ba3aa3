/** Keeps the gateway's own entry in a registry: entered, seen to, entered again when forgotten, taken away. */

import { createBackoff, pause } from '../clients/backoff.ts';
import type { SelfRegistration } from '../config/types.ts';
import type { Registered, RegistryParts } from './registry.ts';

export interface EntrySteps {
  /** Writes the entry, over an older one of the same name. */
  enter(): Promise<void>;
  /** A sign of life. @returns false when the registry has forgotten the entry */
  confirm(): Promise<boolean>;
  /** Takes the entry away; one that isn't there is as good. */
  leave(): Promise<void>;
}

const FIRST_RETRY_MS = 500;

/**
 * Enters the gateway; resolves after the first try, however it went.
 * @param everyMs between two signs of life
 */
export async function keepEntered(
  self: SelfRegistration,
  parts: Pick<RegistryParts, 'clock' | 'random' | 'log' | 'name'>,
  everyMs: number,
  steps: EntrySteps,
): Promise<Registered> {
  const { clock, random, log } = parts;
  const fields = { registry: parts.name, service: self.service, instance: self.id };
  const end = new AbortController();
  const backoff = createBackoff(random, FIRST_RETRY_MS, everyMs);
  let entered = false;
  let failing = false;

  const step = async (): Promise<number> => {
    try {
      if (!entered || !(await steps.confirm())) {
        entered = false;
        await steps.enter();
        entered = true;
        log.info('the gateway is entered in the registry', fields);
      }
      failing = false;
      backoff.reset();
      return everyMs;
    } catch (error) {
      const reason = (error as Error).message;
      if (!failing)
        log.warn('the gateway cannot be entered in the registry; it is tried again', { ...fields, reason });
      failing = true;
      return backoff.nextMs();
    }
  };

  const keep = async (firstMs: number) => {
    for (let waitMs = firstMs; ; waitMs = await step()) {
      await pause(clock, waitMs, end.signal);
      if (end.signal.aborted) return;
    }
  };

  const kept = keep(await step());

  const leave = async () => {
    end.abort();
    await kept;
    try {
      await steps.leave();
      log.info('the gateway has left the registry', fields);
    } catch (error) {
      const reason = (error as Error).message;
      log.warn('the gateway could not leave the registry, which will forget it by itself', {
        ...fields,
        reason,
      });
    }
  };
  let leaving: Promise<void> | null = null;
  return {
    deregister() {
      leaving ??= leave();
      return leaving;
    },
  };
}
