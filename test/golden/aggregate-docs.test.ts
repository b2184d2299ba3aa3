/** docs/aggregate.md promises for each failure of a part what the code does. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type GatewayCode, KINDS } from '../../src/kernel/errors.ts';

const page = readFileSync(new URL('../../docs/aggregate.md', import.meta.url), 'utf8');
const rows = [...page.matchAll(/^\| [^|]+ \| `(GW_\w+)` \| (\d{3}) \|$/gm)].map(
  ([, code, status]) => [code as GatewayCode, Number(status)] as const,
);

test.each(rows)('%s is answered with %s', (code, status) => expect(KINDS[code]?.status).toBe(status));

test('every code that only parts have stands in the table or in the text', () => {
  const ofParts = Object.keys(KINDS).filter((code) => code.startsWith('GW_PART'));
  expect(ofParts.length).toBeGreaterThan(7);
  expect(ofParts.filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
  expect(rows.length).toBeGreaterThan(15);
});
