/** What many elements and long answers cost together: bounded, whatever a service answers. */
import { expect, test } from 'vitest';
import { startTestGateway } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';
import { sendJson, startJsonOrigin } from '../kit/json-origin.ts';

const ELEMENTS = 1000;
const startList = () =>
  startJsonOrigin(JSON.stringify(Array.from({ length: ELEMENTS }, (_, id) => ({ id, of: 'all' }))));
const LONG = 'x'.repeat(900_000);

test('a long answer that many elements share is held once, and what is picked of it goes into each', async () => {
  const list = await startList();
  const long = await startJsonOrigin({ name: 'shared', long: LONG });
  const { ask } = await startTestGateway(`
routes:
  - path: /a
    aggregate:
      list: { upstream: ${list.url}, path: / }
      shared: { upstream: ${long.url}, each: { of: parts.list, most: ${ELEMENTS} }, path: "/{each.of}", pick: [name], into: each.shared }
`);
  const answer = await ask('/a');
  expect(answer.status).toBe(200);
  const found = JSON.parse(answer.body).list as { shared: unknown }[];
  expect(found).toHaveLength(ELEMENTS);
  for (const { shared } of found) expect(shared).toEqual({ name: 'shared' });
  expect(long.reached).toHaveLength(1);
});

test('where another part looks into the answers, what it would look through is held to the limit', async () => {
  const list = await startList();
  const long = await startJsonOrigin({ name: 'shared', long: LONG });
  const { ask } = await startTestGateway(`
routes:
  - path: /a
    aggregate:
      list: { upstream: ${list.url}, path: / }
      shared: { upstream: ${long.url}, each: { of: parts.list, most: ${ELEMENTS} }, path: "/{each.of}", pick: [name] }
      more: { upstream: ${long.url}, path: "/more/{parts.shared.0.name}" }
`);
  const answer = await ask('/a');
  expect([answer.status, JSON.parse(answer.body)]).toMatchObject([
    502,
    { code: 'GW_PART_TOO_LARGE', part: 'shared' },
  ]);
});

test('what all calls of a part are asked with is held to its limit, and the machine is not held up', async () => {
  const list = await startList();
  const long = await startJsonOrigin({ long: LONG });
  const asked = await startOrigin((_request, response, body) => sendJson(response, { bytes: body.length }));
  const route = (path: string, more: string) => `
  - path: ${path}
    aggregate:
      list: { upstream: ${list.url}, path: / }
      long: { upstream: ${long.url}, path: /, pick: [] }
      asked:
        upstream: ${asked.url}
        each: { of: parts.list, most: ${ELEMENTS} }
        method: POST
        path: /
        body: { id: "{each.id}", with: "{parts.long.long}" }
        into: each.asked
        ${more}`;
  const { ask } = await startTestGateway(
    `routes:${route('/required', '')}${route('/optional', 'optional: true')}`,
  );
  const required = await ask('/required');
  expect([required.status, JSON.parse(required.body)]).toMatchObject([
    502,
    { code: 'GW_PART_TOO_LARGE', part: 'asked' },
  ]);
  expect(asked.reached).toHaveLength(0);
  const before = performance.now();
  const optional = await ask('/optional');
  // Nothing is made of the 900 MB that the bodies would be: that took over 40 s here.
  expect(performance.now() - before).toBeLessThan(5000);
  expect(optional.headers['snowgate-partial']).toBe(`asked;code=GW_PART_TOO_LARGE;missing=${ELEMENTS - 1}`);
  expect(JSON.parse(optional.body).list.slice(0, 2)).toMatchObject([
    { asked: { bytes: LONG.length + 18 } },
    { asked: null },
  ]);
  expect(asked.reached).toHaveLength(1);
});
