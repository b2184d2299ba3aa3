/** GET /version: versions of Snowgate and Node, and which configuration runs. */
import { json } from '../answer.ts';
import type { Resource } from '../resource.ts';

export const version: Resource = {
  path: '/version',
  method: 'GET',
  open: false,
  summary: 'Versions of Snowgate and Node, and which configuration runs.',
  answer: ({ sources }) => json(sources.version()),
};
