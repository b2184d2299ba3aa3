/** GET /metrics: the scrape. */
import { text } from '../answer.ts';
import type { Resource } from '../resource.ts';

export const metrics: Resource = {
  path: '/metrics',
  method: 'GET',
  open: true,
  summary: 'Metrics in Prometheus’ text format.',
  answer: async ({ sources }) => text('text/plain; version=0.0.4; charset=utf-8', await sources.metrics()),
};
