/** The settings of a Eureka registry. */
import { duration, flag } from '../forms.ts';
import { choice, oneOrMany } from '../shapes.ts';
import { tls } from '../tls.ts';
import { apiUrl } from './api-url.ts';
import { metadataFilter } from './file.ts';
import type { RegistryForm } from './form.ts';

export const eureka = {
  type: 'eureka',
  summary: 'The instances of a Eureka application, looked up again and again.',
  options: {
    address: oneOrMany(apiUrl('http://127.0.0.1:8761/eureka'))
      .prefault('http://127.0.0.1:8761/eureka')
      .describe('Servers of one cluster, path included; the next one is asked when one fails.'),
    tls: tls.optional().describe('How servers are spoken to whose address begins with https.'),
    interval: duration(500)
      .prefault('10s')
      .describe(
        'Between two looks; the server itself shows a change only after its response cache is renewed.',
      ),
  },
  discover: {
    secure: flag()
      .prefault(false)
      .describe('Use the secure port only; otherwise it is used where the plain one is off.'),
    prefer: choice('hostname', 'ip')
      .prefault('hostname')
      .describe('Which of its two addresses an instance is reached at.'),
    metadata: metadataFilter(),
  },
  registers: true,
  confirm: '30s',
} as const satisfies RegistryForm;
