/** All resources of the admin server, and the index that lists them. */
import { text } from './answer.ts';
import type { Resource } from './resource.ts';
import { config } from './resources/config.ts';
import { endpoints } from './resources/endpoints.ts';
import { healthz } from './resources/healthz.ts';
import { metrics } from './resources/metrics.ts';
import { readyz } from './resources/readyz.ts';
import { registryDelete, registryList, registryPut } from './resources/registry.ts';
import { reload } from './resources/reload.ts';
import { routes } from './resources/routes.ts';
import { upstreams } from './resources/upstreams.ts';
import { version } from './resources/version.ts';

const LISTED: readonly Resource[] = [
  metrics,
  healthz,
  readyz,
  routes,
  upstreams,
  endpoints,
  registryList,
  registryPut,
  registryDelete,
  config,
  version,
  reload,
];

const row = ({ path, method, summary }: Resource) => {
  const name = method === 'GET' ? `<a href="${path}">${path}</a>` : `${method} ${path}`;
  return `<dt>${name}</dt><dd>${summary}</dd>`;
};

const PAGE = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Snowgate admin</title>
<style>body{font:16px/1.5 system-ui;margin:3rem auto;max-width:44rem;padding:0 1rem}dt{font-family:monospace}</style>
<h1>Snowgate admin</h1>
<dl>
${LISTED.map(row).join('\n')}
</dl>
</html>
`;

const index: Resource = {
  path: '/',
  method: 'GET',
  open: false,
  summary: 'This list.',
  answer: () => text('text/html; charset=utf-8', PAGE),
};

export const RESOURCES: readonly Resource[] = [...LISTED, index];
