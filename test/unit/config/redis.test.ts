/** URLs of Redis: what they mean, and what is wrong with the ones that mean nothing. */
import { expect, test } from 'vitest';
import { Refusal } from '../../../src/config/forms.ts';
import { readRedisUrl } from '../../../src/config/redis.ts';

const single = { kind: 'single', master: '', username: null, password: null, db: 0, tls: false };
const local = [{ host: '127.0.0.1', port: 6379 }];

const GOOD: [url: string, place: object][] = [
  ['redis://127.0.0.1', { ...single, nodes: local }],
  ['redis://127.0.0.1:6380/2', { ...single, nodes: [{ host: '127.0.0.1', port: 6380 }], db: 2 }],
  ['redis://127.0.0.1/', { ...single, nodes: local }],
  ['rediss://127.0.0.1', { ...single, nodes: local, tls: true }],
  ['redis://:p%40ss@127.0.0.1', { ...single, nodes: local, password: 'p@ss' }],
  ['redis://me:secret@127.0.0.1', { ...single, nodes: local, username: 'me', password: 'secret' }],
  ['redis://[::1]:6379', { ...single, nodes: [{ host: '::1', port: 6379 }] }],
  [
    'redis+sentinel://a:1,b/mymaster/3',
    {
      ...single,
      kind: 'sentinel',
      master: 'mymaster',
      db: 3,
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 26_379 },
      ],
    },
  ],
  [
    'rediss+cluster://a:1,b:2',
    {
      ...single,
      kind: 'cluster',
      tls: true,
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
    },
  ],
];
for (const [url, place] of GOOD) {
  test(`${url} is understood`, () => {
    expect(readRedisUrl(url)).toEqual(place);
  });
}

const BAD: [url: string, message: string][] = [
  ['127.0.0.1:6379', 'is no URL of Redis'],
  ['http://127.0.0.1', 'is no URL of Redis'],
  ['redis://', 'is no URL of Redis'],
  ['redis://a?db=1', 'is no URL of Redis'],
  ['redis://a,b', 'names several servers'],
  ['redis://a:99999', 'has a host that is neither an address nor a name'],
  ['redis://a_b!', 'has a host that is neither an address nor a name'],
  ['redis://a/x', 'has a database that is no number'],
  ['redis://a/1/2', 'has more after the host than a database'],
  ['redis://:%zz@a', 'has a broken percent escape in its user or password'],
  ['redis+sentinel://a,b', 'names no master'],
  ['redis+cluster://a/1', 'names a database, but a Cluster has only one'],
];
for (const [url, message] of BAD) {
  test(`${url} ${message}`, () => {
    const read = readRedisUrl(url);
    expect(read instanceof Refusal ? read.message : read).toBe(message);
  });
}
