/** GET /routes: the routes in the order in which they are tried. */
import { json } from '../answer.ts';
import type { Resource } from '../resource.ts';

export const routes: Resource = {
  path: '/routes',
  method: 'GET',
  open: false,
  summary: 'The routes in the order in which they are tried.',
  answer: ({ sources }) => json(sources.routes()),
};
