/** Durations in the settings of plugins. */
import { parseDuration, z } from 'snowgate/plugin';

/** @param such what the refusal of anything else gives as an example */
export const duration = (such: string) =>
  z.string().refine((text) => (parseDuration(text) ?? 0) > 0, `must be a duration such as ${such}`);
