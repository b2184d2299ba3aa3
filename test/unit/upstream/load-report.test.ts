/** The ORCA header in all its forms. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseLoadReport } from '../../../src/upstream/load-report.ts';

describe('a load report', () => {
  test.each([
    ['JSON {"cpu_utilization": 0.3, "rps_fractional": 120.5, "eps": 2}', 0.3, 120.5, 2],
    ['{"cpuUtilization":0.3,"rpsFractional":120.5,"eps":2}', 0.3, 120.5, 2],
    ['JSON {"application_utilization":0.9,"cpu_utilization":0.3,"named_metrics":{"x":1}}', 0.9, 0, 0],
    ['{"applicationUtilization":0,"cpuUtilization":0.4,"rps":"77"}', 0.4, 77, 0],
    ['TEXT cpu=0.3, rps=10', 0.3, 10, 0],
    ['text cpu_utilization:0.3,mem_utilization:0.8,rps_fractional:10,eps:1', 0.3, 10, 1],
    ['cpu_utilization=1.5,qps=10,named_metrics.cost=3', 1.5, 10, 0],
    ['  cpu = 0.25 ,, rps = 8 ', 0.25, 8, 0],
  ])('%s', (text, utilization, rps, eps) => {
    expect(parseLoadReport(text)).toEqual({ utilization, rps, eps });
  });

  test.each([
    '',
    'BIN CZqZmZmZmbk/',
    'rps=10',
    'cpu=0',
    'cpu=-1',
    'cpu=NaN',
    'cpu=Infinity',
    'cpu=1e999',
    'cpu=',
    'cpu=high',
    'JSON {',
    'JSON [1]',
    'null',
    '{"cpu_utilization":{}}',
    '{"__proto__":{"cpu":1}}',
    `cpu=0.5,${'x'.repeat(3000)}`,
  ])('that says nothing is none: %s', (text) => {
    expect(parseLoadReport(text)).toBeNull();
  });

  test('never throws and never gives a number that cannot be reckoned with', () => {
    const noise = fc.oneof(fc.string(), fc.json(), fc.stringMatching(/^(TEXT |JSON )?[cpu=:,.0-9e{}" -]*$/));
    fc.assert(
      fc.property(noise, (text) => {
        const report = parseLoadReport(text);
        if (report === null) return;
        for (const value of Object.values(report)) expect(Number.isFinite(value) && value >= 0).toBe(true);
        expect(report.utilization).toBeGreaterThan(0);
      }),
    );
  });
});
