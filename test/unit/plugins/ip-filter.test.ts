/** The ip-filter plugin: who comes in. */
import { expect, test } from 'vitest';
import { runBefore } from '../../../src/pipeline/run.ts';
import { builtInChain, configIssues, exchangeOf } from '../../kit/plugin.ts';

const CASES: [config: { allow?: string[]; deny?: string[] }, address: string, passes: boolean][] = [
  [{ allow: ['10.0.0.0/8'] }, '10.1.2.3', true],
  [{ allow: ['10.0.0.0/8'] }, '11.0.0.1', false],
  [{ allow: ['10.0.0.0/8'] }, '::1', false],
  [{ allow: ['10.0.0.1'] }, '10.0.0.1', true],
  [{ allow: ['10.0.0.1'] }, '10.0.0.2', false],
  [{ deny: ['10.0.0.0/8'] }, '10.1.2.3', false],
  [{ deny: ['10.0.0.0/8'] }, '::ffff:10.1.2.3', false],
  [{ deny: ['10.0.0.0/8'] }, '192.0.2.1', true],
  [{ allow: ['10.0.0.0/8'], deny: ['10.9.0.0/16'] }, '10.9.1.1', false],
  [{ allow: ['10.0.0.0/8'], deny: ['10.9.0.0/16'] }, '10.8.1.1', true],
  [{ allow: ['2001:db8::/32'] }, '2001:db8:1::1', true],
  [{ allow: ['2001:db8::/32'] }, '2001:db9::1', false],
  [{ allow: ['fe80::/10'] }, 'fe80::1%eth0', true],
  [{ allow: ['0.0.0.0/0'] }, '203.0.113.9', true],
  [{ deny: ['10.0.0.0/8'] }, '', false],
  [{ deny: ['10.0.0.0/8'] }, 'not-an-address', false],
];
for (const [config, address, passes] of CASES) {
  test(`${JSON.stringify(config)} ${passes ? 'lets in' : 'keeps out'} "${address}"`, async () => {
    const outcome = await runBefore(await builtInChain(['ip-filter', config]), exchangeOf({ address }));
    if (passes) expect(outcome).toBeUndefined();
    else expect(outcome).toMatchObject({ status: 403, error: { code: 'GW_FORBIDDEN' } });
  });
}

const REFUSED: [config: unknown, path: (string | number)[]][] = [
  [{}, []],
  [{ allow: [], deny: [] }, []],
  [{ allow: ['10.0.0.0/33'] }, ['allow', 0]],
  [{ allow: ['10.0.0.0/'] }, ['allow', 0]],
  [{ allow: ['10.0.0.0/8/8'] }, ['allow', 0]],
  [{ allow: ['10.0.0'] }, ['allow', 0]],
  [{ deny: ['::1', 'localhost'] }, ['deny', 1]],
  [{ deny: ['fe80::1%eth0'] }, ['deny', 0]],
  [{ alow: ['::1'], deny: ['::1'] }, ['alow']],
];
for (const [config, path] of REFUSED) {
  test(`${JSON.stringify(config)} is refused`, async () => {
    expect((await configIssues('ip-filter', config)).map((issue) => issue.path)).toEqual([path]);
  });
}
