import { expect, test } from 'vitest';
import { gatewayError } from '../../../src/kernel/errors.ts';
import { createLogger, type LogLevel } from '../../../src/telemetry/logger.ts';

const start = (level: LogLevel = 'info', pretty = false) => {
  const text: string[] = [];
  const log = createLogger({ level, pretty, destination: { write: (line) => text.push(line) } });
  return { text, log, lines: () => text.map((line) => JSON.parse(line) as Record<string, unknown>) };
};

test('writes JSON lines with level, time and message', () => {
  const { log, lines } = start();
  log.info('listening', { port: 8080 });
  expect(lines()).toEqual([
    { log: 'gateway', level: 'info', time: expect.any(String), port: 8080, msg: 'listening' },
  ]);
  expect(new Date(lines()[0]!.time as string).getTime()).toBeGreaterThan(Date.UTC(2020));
});

test('leaves out what is below the level', () => {
  const { log, lines } = start('warn');
  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d');
  expect(lines().map((line) => line.msg)).toEqual(['c', 'd']);
});

test('a change of level reaches children that were there before', () => {
  const { log, lines } = start('error');
  const child = log.child('cors');
  child.info('before');
  log.setLevel('debug');
  child.debug('after');
  expect(log.level).toBe('debug');
  expect(lines()).toMatchObject([{ msg: 'after', plugin: 'cors' }]);
});

test.each(['authorization', 'cookie', 'set-cookie', 'password', 'token', 'x-api-key'])(
  'hides %s wherever it stands',
  (name) => {
    const { log, text, lines } = start();
    log.info('x', {
      [name]: 's3cret',
      headers: { [name]: 's3cret', a: 1 },
      deep: { er: { [name]: ['s3cret'] } },
    });
    expect(text.join('')).not.toContain('s3cret');
    expect(lines()[0]).toMatchObject({ [name]: '[hidden]', headers: { a: 1 } });
  },
);

test('shows an error with its kind, message and stack', () => {
  const { log, lines } = start();
  log.error('failed', { error: new TypeError('no such thing') });
  expect(lines()[0]!.error).toMatchObject({
    type: 'TypeError',
    message: 'no such thing',
    stack: expect.stringContaining('logger.test'),
  });
});

test('shows the code of an expected failure', () => {
  const { log, lines } = start();
  log.warn('failed', { error: gatewayError('GW_DNS', 'orders.internal') });
  expect(lines()[0]!.error).toMatchObject({ code: 'GW_DNS', message: 'GW_DNS: orders.internal' });
});

test('the form for people has one line with the fields behind the message', () => {
  const { log, text } = start('info', true);
  log.child('say').warn('slow\u001b[2J', { ms: 12, path: '/a b' });
  const plain = text.join('').replace(/\u001b\[\d*m/g, '');
  expect(plain).toMatch(/^\d\d:\d\d:\d\d\.\d\d\d warn {2}say slow\\u001b\[2J ms=12 path=\/a b\n$/);
});

test('the form for people shows where an error came from', () => {
  const { log, text } = start('info', true);
  log.error('failed', { error: new Error('broken') });
  expect(text.join('')).toContain('Error: broken\n');
  expect(text.join('')).toContain('logger.test.ts');
});
