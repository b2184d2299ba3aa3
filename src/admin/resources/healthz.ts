/** GET /healthz: the process lives and its event loop turns. */
import { json } from '../answer.ts';
import type { Resource } from '../resource.ts';

export const healthz: Resource = {
  path: '/healthz',
  method: 'GET',
  open: true,
  summary: '200 as long as the process answers at all: the probe for a restart.',
  answer: () => json({ status: 'ok' }),
};
