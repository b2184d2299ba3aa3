/** GET /readyz: whether traffic may be sent here. */
import { json } from '../answer.ts';
import type { Resource } from '../resource.ts';

export const readyz: Resource = {
  path: '/readyz',
  method: 'GET',
  open: true,
  summary: '200 while traffic may come, else 503 with the reasons: the probe for a load balancer.',
  answer: ({ sources }) => {
    const state = sources.ready();
    return json({ ready: state.ready, why: state.why, degraded: state.degraded }, state.ready ? 200 : 503);
  },
};
