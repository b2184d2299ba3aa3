/** Routes and request heads in few words, for tests of the router. */
import type { RouteMatch } from '../../src/router/route-match.ts';
import { createFields } from '../../src/wire/fields.ts';
import type { RequestHead } from '../../src/wire/heads.ts';

/** A route with everything left open but what is said. */
export const routeOf = (path: string, more: Partial<RouteMatch> = {}): RouteMatch => ({
  name: more.name ?? path,
  host: '',
  methods: [],
  headers: {},
  query: {},
  allow: [],
  path,
  ...more,
});

/** A head from `GET http://host/path?query` and header lines. */
export const headOf = (
  method: string,
  target: string,
  fields: Readonly<Record<string, string>> = {},
): RequestHead => {
  const [, authority, rest] = /^(?:http:\/\/([^/]*))?(.*)$/s.exec(target)!;
  const mark = rest!.indexOf('?');
  return {
    method,
    scheme: 'http',
    authority: authority ?? 'localhost',
    path: mark < 0 ? rest! : rest!.slice(0, mark),
    query: mark < 0 ? '' : rest!.slice(mark),
    fields: Object.assign(createFields(), fields),
  };
};
