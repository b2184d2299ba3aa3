/** GET /upstreams: the upstreams with their endpoints and how those do. */
import { json } from '../answer.ts';
import type { Resource } from '../resource.ts';

export const upstreams: Resource = {
  path: '/upstreams',
  method: 'GET',
  open: false,
  summary: 'The upstreams with their endpoints and how those do.',
  answer: ({ sources }) => json(sources.upstreams()),
};
