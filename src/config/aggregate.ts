/** From an aggregate as the file has it to the Aggregate that the gateway reads, with its checks. */
import { checkElements, readEach } from './aggregate-each.ts';
import { MOST_PARTS, type PartInput } from './aggregate-schema.ts';
import type { Aggregate, AggregatePart } from './aggregate-types.ts';
import { Refusal } from './forms.ts';
import { circleOf } from './part-order.ts';
import { TemplateReader } from './part-templates.ts';
import { readHost, readPath } from './patterns.ts';
import type { RouteInput } from './schema.ts';
import { resolveUpstream, type ShareScope } from './shares.ts';
import type { ConfigPath } from './types.ts';

interface All {
  readonly inputs: Readonly<Record<string, PartInput>>;
  /** Of the route's path and host. */
  readonly parameters: readonly string[];
}

/** Names go into marker fields, Server-Timing and labels, so they are plain tokens. */
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

const readPointer = (scope: ShareScope, pointer: string, path: ConfigPath): string[] => {
  if (pointer.startsWith('/') && !/~(?![01])/.test(pointer))
    return pointer
      .slice(1)
      .split('/')
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  scope.report.on(path, {
    message: `${scope.report.show(path, pointer)} is no JSON Pointer`,
    remedy: 'Write a slash before each name, as /data/items (RFC 6901).',
  });
  return [];
};

const readInto = (
  scope: ShareScope,
  into: string | undefined,
  name: string,
  path: ConfigPath,
): string | null => {
  if (into === undefined) return name;
  if (into === '/') return null;
  if (into.includes('/') && !into.startsWith('each.'))
    scope.report.on(path, {
      message: `${scope.report.show(path, into)} is neither a name nor \`/\``,
      remedy: 'Answers go to the first level only: write a name, or `/`.',
    });
  return into;
};

const checkSense = (scope: ShareScope, input: PartInput, path: ConfigPath): void => {
  const { report } = scope;
  if (input.default !== undefined && !input.optional)
    report.onKey([...path, 'default'], {
      message: '`default` is never used: the part is not optional',
      remedy: 'Add `optional: true`, or delete it.',
    });
  if (input.body !== undefined && ['GET', 'HEAD'].includes(input.method))
    report.onKey([...path, 'body'], {
      message: `a ${input.method} carries no body`,
      remedy: 'Choose another `method`, such as POST.',
    });
  if (input.method === 'HEAD')
    report.on([...path, 'method'], { message: 'the answer to a HEAD has no JSON', remedy: 'Write GET.' });
  const lost = input.drop.find((name) => input.pick?.includes(name));
  if (lost !== undefined)
    report.onKey([...path, 'drop'], {
      message: 'a member is picked and dropped',
      remedy: 'Delete one of the two.',
    });
};

interface Read {
  readonly part: AggregatePart;
  /** Where it names each part that it needs. */
  readonly places: ReadonlyMap<string, ConfigPath>;
}

const readPart = (scope: ShareScope, name: string, all: All, path: ConfigPath): Read => {
  const { report } = scope;
  const input = all.inputs[name]!;
  if (!NAME.test(name))
    report.onKey(path, {
      message: 'the name of a part is a letter and up to 63 letters, digits, `_` and `-`',
      remedy: 'Choose another name; `into` may be any.',
    });
  checkSense(scope, input, path);
  const reader = new TemplateReader({
    report,
    parts: Object.keys(all.inputs),
    parameters: all.parameters,
    each: input.each !== undefined,
  });
  const part = {
    name,
    upstream: resolveUpstream(scope, input.upstream, { path: [...path, 'upstream'], key: false }) ?? '',
    each: readEach(scope, input, { path, reader }),
    method: input.method,
    target: reader.target(input.path, [...path, 'path']),
    headers: reader.headers(input.headers, [...path, 'headers']),
    body: input.body === undefined ? null : reader.body(input.body, [...path, 'body']),
    timeoutMs: input.timeout ?? null,
    optional: input.optional,
    defaultJson: JSON.stringify(input.default ?? null),
    at: input.at === undefined ? [] : readPointer(scope, input.at, [...path, 'at']),
    pick: input.pick ?? null,
    drop: input.drop,
    rename: Object.assign(Object.create(null), input.rename) as Record<string, string>,
    into: readInto(scope, input.into, name, [...path, 'into']),
    passStatus: [...new Set(input.passStatus)],
    setCookie: input.setCookie,
    limitBytes: input.limit,
    needs: [...reader.needs.keys()],
    configPath: path,
  };
  if (part.each !== null && !reader.usesElement)
    report.onKey([...path, 'each'], {
      message: 'every element would get the same answer: no template of the part holds `{each}`',
      remedy: 'Put `{each}` or `{each.NAME}` into its path, or delete `each`.',
    });
  return { part, places: reader.needs };
};

const checkCircles = (scope: ShareScope, read: readonly Read[]): void => {
  const circle = circleOf(read.map(({ part }) => part));
  if (circle === null) return;
  const first = read.find(({ part }) => part.name === circle[0])!;
  scope.report.on(first.places.get(circle[1]!)!, {
    message:
      circle.length === 2
        ? `the part "${circle[0]}" waits for itself`
        : `the parts wait for each other: ${circle.join(' → ')}`,
    remedy: 'At least one of them must do without the answers of the others.',
  });
};

/** Members of the answer that a part is known to fill. */
const membersOf = ({ into, pick, rename, each }: AggregatePart): string[] => {
  if (each !== null && each.member !== null) return [];
  if (into !== null) return [into];
  return [...(pick ?? Object.keys(rename))].map((name) => rename[name] ?? name);
};

const checkMembers = (scope: ShareScope, read: readonly Read[]): void => {
  const taken = new Map<string, string>();
  for (const { part } of read)
    for (const member of membersOf(part)) {
      const other = taken.get(member);
      taken.set(member, part.name);
      if (other === undefined) continue;
      const key =
        part.into === null || part.into !== part.name ? [...part.configPath, 'into'] : part.configPath;
      scope.report.onKey(key, {
        message:
          other === part.name
            ? `"${part.name}" fills ${scope.report.show(key, member)} twice`
            : `"${part.name}" fills the same member of the answer as "${other}"`,
        remedy: 'Give one of them another `into` or `rename`.',
      });
    }
};

/** Keys that say where or how one request is sent on, which an aggregate does by its parts. */
const OF_ONE_CALL = ['upstream', 'stripPrefix', 'rewrite'] as const;

/** Two that carry no body, and one that is of an answer to a range (RFC 9110 section 15.3). */
const NOT_WHOLE: readonly (number | undefined)[] = [204, 205, 206];

const checkRoute = (scope: ShareScope, input: RouteInput, path: ConfigPath): void => {
  if (input.aggregate === undefined) {
    if (input.partialStatus !== undefined)
      scope.report.onKey([...path, 'partialStatus'], {
        message: '`partialStatus` does nothing without `aggregate`',
        remedy: 'Delete it.',
      });
    return;
  }
  if (NOT_WHOLE.includes(input.partialStatus))
    scope.report.on([...path, 'partialStatus'], {
      message: `${input.partialStatus} cannot stand before this answer: it has a body, and is of no range`,
      remedy: 'Write another one, such as 203.',
    });
  for (const key of OF_ONE_CALL)
    if (input[key] !== undefined)
      scope.report.onKey([...path, key], {
        message: `\`${key}\` and \`aggregate\` exclude each other`,
        remedy: key === 'upstream' ? 'Delete one of the two.' : 'Each part says its own `path`.',
      });
};

const parametersOf = ({ path, host }: RouteInput): string[] =>
  [readPath(path), readHost(host ?? '*')].flatMap((read) => (read instanceof Refusal ? [] : read.parameters));

/** Reads the aggregate of one route, null where it has none; its mistakes are reported. */
export function readAggregate(scope: ShareScope, route: RouteInput, path: ConfigPath): Aggregate | null {
  checkRoute(scope, route, path);
  if (route.aggregate === undefined) return null;
  const place = [...path, 'aggregate'];
  const names = Object.keys(route.aggregate);
  if (names.length === 0)
    scope.report.on(place, { message: 'there is no part', remedy: 'Write `{ name: { upstream, path } }`.' });
  if (names.length > MOST_PARTS)
    scope.report.on(place, {
      message: `these are ${names.length} parts; ${MOST_PARTS} are the most`,
      remedy: 'Let a service put some of them together.',
    });
  const all = { inputs: route.aggregate, parameters: parametersOf(route) };
  const read = names.map((name) => readPart(scope, name, all, [...place, name]));
  checkCircles(scope, read);
  checkMembers(scope, read);
  const parts = read.map(({ part }) => part);
  checkElements(scope, parts);
  return { parts, partialStatus: route.partialStatus ?? 200 };
}
