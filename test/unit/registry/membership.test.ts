/** What the gateway believes of a registry's answers: debounced, doubted where much is lost, kept through failures. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Membership } from '../../../src/registry/membership.ts';
import { createSnapshots, type Snapshots } from '../../../src/registry/snapshots.ts';
import { createManualClock } from '../../kit/clock.ts';
import { createHandRegistry, endpoints, numbersOf } from '../../kit/registry-hand.ts';

const CONFIRM_MS = 30_000;

const begin = async (snapshots: Snapshots | null = null, confirmMs = CONFIRM_MS) => {
  const clock = createManualClock();
  const registry = createHandRegistry();
  const lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  const write =
    (level: string) =>
    (message: string, fields: Record<string, unknown> = {}) =>
      void lines.push({ level, message, fields });
  const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  const query = { service: 'orders', options: {} };
  const membership = new Membership({ registry, query, clock, log, confirmMs, snapshots });
  let changes = 0;
  membership.follow(() => changes++);
  await membership.open();
  return {
    clock,
    registry,
    membership,
    lines,
    get used() {
      return numbersOf(membership.endpoints);
    },
    get changes() {
      return changes;
    },
    warnings: () => lines.filter((line) => line.level === 'warn').map((line) => line.message),
  };
};

const folder = () => {
  const path = mkdtempSync(join(tmpdir(), 'snowgate-state-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

test('the first answer is in use at once, changes when they have been quiet for a moment', async () => {
  const at = await begin();
  at.registry.says(endpoints(1, 2));
  expect([at.used, at.changes]).toEqual(['1 2', 1]);
  at.registry.says(endpoints(1, 2, 3));
  at.clock.advance(60);
  at.registry.says(endpoints(1, 2, 3, 4));
  at.clock.advance(99);
  expect(at.used).toBe('1 2');
  at.clock.advance(1);
  expect([at.used, at.changes]).toEqual(['1 2 3 4', 2]);
});

test('changes without end are taken after half a second all the same', async () => {
  const at = await begin();
  at.registry.says(endpoints(1));
  for (let number = 2; number < 12; number++) {
    at.registry.says(endpoints(1, number));
    at.clock.advance(55);
  }
  expect(at.changes).toBe(2);
});

test('the same endpoints in another order are no change; another weight is one', async () => {
  const at = await begin();
  at.registry.says(endpoints(1, 2, 3));
  at.registry.says(endpoints(3, 1, 2));
  at.clock.advance(1000);
  expect([at.used, at.changes, at.clock.pending]).toEqual(['1 2 3', 1, 0]);
  at.registry.says(endpoints(1, '2:5', 3));
  at.clock.advance(100);
  expect([at.used, at.changes]).toEqual(['1 2:5 3', 2]);
});

test('a change that is taken back within the moment is none', async () => {
  const at = await begin();
  at.registry.says(endpoints(1, 2));
  at.registry.says(endpoints(1));
  at.registry.says(endpoints(1, 2));
  at.clock.advance(1000);
  expect([at.used, at.changes]).toEqual(['1 2', 1]);
});

test('a failure changes nothing but the age, and is told once', async () => {
  const at = await begin();
  at.registry.says(endpoints(1, 2));
  at.clock.advance(600_000);
  expect(at.membership.state().ageMs, 'a silent registry is no failing one').toBe(0);
  at.registry.fails('refused');
  at.clock.advance(5000);
  at.registry.fails('refused again');
  const state = at.membership.state();
  expect([at.used, state.ageMs, state.failure, state.failures]).toEqual(['1 2', 605_000, 'refused again', 2]);
  expect(at.warnings()).toHaveLength(1);
  at.registry.says(endpoints(1, 2));
  expect([at.membership.state().ageMs, at.membership.state().failure]).toEqual([0, null]);
});

test('an empty answer is believed only when the registry, asked anew, says it again', async () => {
  const at = await begin();
  at.registry.says(endpoints(1, 2, 3));
  at.registry.says([]);
  at.registry.says([]);
  at.clock.advance(CONFIRM_MS - 1);
  expect([at.used, at.registry.asked, at.membership.state().doubted]).toEqual(['1 2 3', 1, 0]);
  at.clock.advance(1);
  expect([at.registry.asked, at.registry.watched]).toEqual([2, 1]);
  at.registry.says([]);
  at.clock.advance(100);
  expect([at.used, at.membership.state().doubted, at.clock.pending]).toEqual(['', null, 0]);
});

test('a registry that forgot and remembers is never believed in between', async () => {
  const at = await begin();
  at.registry.says(endpoints(1, 2, 3, 4, 5));
  at.registry.says([]);
  at.clock.advance(CONFIRM_MS);
  at.registry.says(endpoints(1));
  at.clock.advance(CONFIRM_MS - 1);
  at.registry.says(endpoints(1, 2, 3));
  at.clock.advance(100);
  expect([at.used, at.changes, at.membership.state().doubted]).toEqual(['1 2 3', 2, null]);
});

test('what a doubted answer adds or changes is used beside what it takes away', async () => {
  const at = await begin();
  at.registry.says(endpoints(1, 2, 3, 4));
  at.registry.says(endpoints('4:7'));
  at.clock.advance(100);
  expect(at.used).toBe('1 2 3 4:7');
  at.registry.says(endpoints(9));
  at.clock.advance(100);
  expect(at.used).toBe('1 2 3 4 9');
  at.clock.advance(CONFIRM_MS);
  at.registry.says(endpoints(9));
  at.clock.advance(100);
  expect(at.used).toBe('9');
});

test('half may go, or all that was drained before, without a second word', async () => {
  const at = await begin();
  at.registry.says(endpoints(1, 2, 3, 4));
  at.registry.says(endpoints(1, 2));
  at.clock.advance(100);
  expect(at.used).toBe('1 2');
  at.registry.says(endpoints('1:0', '2:0'));
  at.clock.advance(100);
  at.registry.says([]);
  at.clock.advance(100);
  expect(at.used).toBe('');
});

test('a list that shrinks and never stays the same is believed in the end', async () => {
  const at = await begin();
  at.registry.says(endpoints(1, 2, 3, 4, 5, 6, 7, 8));
  for (let round = 0; round < 9 && at.membership.state().endpoints.length > 3; round++) {
    at.registry.says(endpoints(1, 10 + round));
    at.clock.advance(CONFIRM_MS / 2);
  }
  expect(at.membership.state().endpoints).toHaveLength(2);
});

test('where nothing is confirmed, every answer is taken', async () => {
  const at = await begin(null, 0);
  at.registry.says(endpoints(1, 2, 3));
  at.registry.says([]);
  at.clock.advance(100);
  expect(at.used).toBe('');
});

test('an instance without a proper address or weight is passed over and told, the others serve', async () => {
  const at = await begin();
  const [good, bad, odd] = endpoints(1, 2, 3);
  at.registry.says([good!, { ...bad!, host: 'a b' }, { ...odd!, weight: -1 }]);
  at.registry.says([good!, { ...bad!, host: 'a b' }]);
  expect(at.used).toBe('1');
  expect(at.warnings()).toHaveLength(1);
});

test('more endpoints than any service has are a failure, not an answer', async () => {
  const at = await begin();
  at.registry.says(endpoints(1));
  at.registry.says(Array.from({ length: 10_001 }, (_, number) => endpoints(number % 256)[0]!));
  at.clock.advance(100);
  expect([at.used, at.membership.state().failures]).toEqual(['1', 1]);
});

test('ready comes with the first word, good or bad', async () => {
  const good = await begin();
  good.registry.says([]);
  await good.membership.ready;
  const bad = await begin();
  bad.registry.fails('down');
  await bad.membership.ready;
  expect(bad.membership.state().from).toBe('nothing');
});

test('a snapshot serves until the registry answers, and an empty answer does not sweep it away', async () => {
  const stateDir = folder();
  const before = await begin(createSnapshots(stateDir, 'consul', quiet));
  before.registry.says(endpoints(1, 2, 3));
  await before.membership.close();

  const after = await begin(createSnapshots(stateDir, 'consul', quiet));
  expect([after.used, after.membership.state().from]).toEqual(['1 2 3', 'snapshot']);
  after.registry.fails('down');
  expect(after.membership.state().failure).toBe('down');
  after.registry.says([]);
  after.clock.advance(100);
  expect(after.used).toBe('1 2 3');
  after.registry.says(endpoints(2, 3, 4));
  expect([after.used, after.membership.state().from], 'the first good one at once').toEqual([
    '2 3 4',
    'registry',
  ]);
  await after.membership.close();
  expect(readdirSync(join(stateDir, 'registries')), 'nothing half-written stays').toHaveLength(1);
});

test('a snapshot of another service, cut or of another form is not taken', async () => {
  const stateDir = folder();
  const before = await begin(createSnapshots(stateDir, 'consul', quiet));
  before.registry.says(endpoints(1));
  await before.membership.close();
  const other = createSnapshots(stateDir, 'consul', quiet);
  expect(await other.read({ service: 'users', options: {} })).toBeNull();
  expect(await other.read({ service: 'orders', options: { tag: 'v2' } })).toBeNull();

  const [name] = readdirSync(join(stateDir, 'registries'));
  const path = join(stateDir, 'registries', name!);
  const whole = readFileSync(path, 'utf8');
  for (const text of [whole.slice(0, 40), whole.replace('8080', '"8080"'), '']) {
    writeFileSync(path, text);
    const lines: string[] = [];
    const snapshots = createSnapshots(stateDir, 'consul', { ...quiet, warn: (line) => lines.push(line) });
    expect(await snapshots.read({ service: 'orders', options: {} })).toBeNull();
    expect(lines).toEqual(['a snapshot cannot be read, and is passed over']);
  }
});

test('a state folder that cannot be made is one warning, and nothing else', async () => {
  const stateDir = join(folder(), 'file');
  writeFileSync(stateDir, 'in the way');
  const lines: string[] = [];
  const at = await begin(createSnapshots(stateDir, 'consul', { ...quiet, warn: (line) => lines.push(line) }));
  at.registry.says(endpoints(1));
  at.registry.says(endpoints(1, 2));
  at.clock.advance(100);
  await at.membership.close();
  expect(at.used).toBe('1 2');
  expect(lines.filter((line) => line.startsWith('the state folder cannot be written'))).toHaveLength(1);
});

test('after closing nothing is told and no timer is left', async () => {
  const at = await begin();
  at.registry.says(endpoints(1, 2, 3));
  at.registry.says([]);
  await at.membership.close();
  expect([at.registry.watched, at.clock.pending]).toEqual([0, 0]);
});
