/** GET /endpoints: what each registry gave, when, and what is in use. */
import { json } from '../answer.ts';
import type { Resource } from '../resource.ts';

export const endpoints: Resource = {
  path: '/endpoints',
  method: 'GET',
  open: false,
  summary: 'What each registry gave, when, and which endpoints are in use.',
  answer: ({ sources }) => json(sources.endpoints()),
};
