/** GET /config: the running configuration; secrets are hidden. */
import { json } from '../answer.ts';
import type { Resource } from '../resource.ts';

export const config: Resource = {
  path: '/config',
  method: 'GET',
  open: false,
  summary: 'The running configuration; secrets are hidden.',
  answer: ({ sources }) => json(sources.config()),
};
