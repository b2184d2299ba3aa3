/** POST /reload: loads the configuration file again. */
import { json, problem } from '../answer.ts';
import type { Resource } from '../resource.ts';

export const reload: Resource = {
  path: '/reload',
  method: 'POST',
  open: false,
  summary: 'Loads the file again: 200 when it runs now, 422 with every error when it was refused.',
  answer: async ({ sources, log }) => {
    const { ok, message } = await sources.reload();
    log.info('reload asked for through the admin server', { ok });
    return ok ? json({ ok, message }) : problem(422, message);
  },
};
