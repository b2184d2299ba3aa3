/** Tests that need a program which may not be had here: skipped by name with the reason, failed where CI is true. */
import { describe, type TestOptions, test } from 'vitest';

/**
 * Describes tests that need a server.
 * @param missing why it can't be had, or null
 */
export function describeWith(
  name: string,
  missing: string | null,
  body: () => void,
  options: TestOptions = {},
): void {
  if (missing === null) describe(name, options, body);
  else if (process.env.CI === 'true')
    test(name, () => {
      throw new Error(missing);
    });
  else describe.skip(`${name} (${missing})`, options, body);
}
