/** What a route may say of hosts, paths, rewrites, methods and field names. */
import { isIPv4, isIPv6 } from 'node:net';
import { Refusal } from './forms.ts';

const PARAMETER = /^\{([A-Za-z_][\w-]*)\}$/;
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

export interface Pattern {
  readonly parameters: readonly string[];
}

const twice = (names: readonly string[]): Refusal | null => {
  const name = names.find((candidate, at) => names.indexOf(candidate) !== at);
  return name === undefined
    ? null
    : new Refusal('has the same parameter twice', 'Give each parameter its own name.');
};

/** `shop.example`, `*.shop.example`, `{tenant}.shop.example`, an address, or `*` for any. */
export function readHost(value: string): Pattern | Refusal {
  const host = value.toLowerCase();
  if (host === '*' || isIPv4(host)) return { parameters: [] };
  if (/^\[.*\]$/.test(host) && isIPv6(host.slice(1, -1))) return { parameters: [] };
  if (/^[a-z]+:\/\//.test(host))
    return new Refusal('is a URL, not a host', 'Write only the host, such as shop.example.');
  if (host.includes('/'))
    return new Refusal('holds a slash', 'Write only the host; the path has its own key.');
  if (/:\d*$/.test(host)) return new Refusal('holds a port', 'Write only the host; ports are not matched.');
  if (/[^\u0020-\u007e]/.test(host))
    return new Refusal('is not ASCII', 'Write it as it travels: xn--… (punycode).');
  if (host.endsWith('.')) return new Refusal('ends with a dot', 'Delete the dot.');
  const parameters: string[] = [];
  for (const [at, label] of host.split('.').entries()) {
    const parameter = PARAMETER.exec(value.split('.')[at]!);
    if (parameter !== null) parameters.push(parameter[1]!);
    else if (label === '*' && at > 0)
      return new Refusal('has a `*` that is not its first label', 'Write *.example.com.');
    else if (label.includes('*') && label !== '*')
      return new Refusal('has a `*` that is not a whole label', 'Write *.example.com.');
    else if (/[{}]/.test(label))
      return new Refusal('has a parameter that is not a whole label', 'Write {name}.example.com.');
    else if (label !== '*' && !LABEL.test(label)) return new Refusal('is not the name of a host');
  }
  if (host.startsWith('*.') && parameters.length > 0)
    return new Refusal('has a `*` and a parameter', 'Use one of the two.');
  return twice(parameters) ?? { parameters };
}

/** What is wrong with a segment of a path as the file writes it, or null. */
export const badSegment = (segment: string): Refusal | null => {
  // Some upstreams decode %2F, or cut `;…` off, before they resolve dots.
  if (segment.split(/%2f/i).some((part) => /^\.\.?(;|%3b|$)/i.test(part)))
    return new Refusal('holds a `.` or `..` segment', 'Write the path that is meant.');
  if (/[?#]/.test(segment)) return new Refusal('holds a `?` or `#`', 'Match the query by the key `query`.');
  if (/[\s\\"<>^`|\u007f-\uffff]/.test(segment))
    return new Refusal(
      'holds a character that stands in no path',
      'Write it percent-encoded, as %20 for a space.',
    );
  if (/%(?:[01][0-9a-f]|7f|5c)/i.test(segment))
    return new Refusal(
      'holds an encoded character that no request may have',
      'The gateway refuses it with 400.',
    );
  if (/%2e/i.test(segment)) return new Refusal('holds an encoded dot', 'Write the dot itself.');
  return /%(?![0-9A-Fa-f]{2})/.test(segment) ? new Refusal('holds a `%` without two hex digits') : null;
};

/** `/a/b`, `/a/*`, `/a/{id}`, `/a/**`; `**` only as the last segment. */
export function readPath(value: string): Pattern | Refusal {
  if (/^https?:\/\//.test(value))
    return new Refusal('is a URL, not a path', 'Write only the path, and the host under `host`.');
  if (!value.startsWith('/')) return new Refusal('does not begin with `/`', 'Begin the path with a slash.');
  const segments = value.slice(1).split('/');
  const parameters: string[] = [];
  for (const [at, segment] of segments.entries()) {
    const last = at === segments.length - 1;
    const parameter = PARAMETER.exec(segment);
    const bad = badSegment(segment);
    if (bad !== null) return bad;
    if (segment === '' && !last) return new Refusal('holds an empty segment (`//`)', 'Delete a slash.');
    if (segment === '**' && !last) return new Refusal('goes on after `**`', '`**` stands only at the end.');
    if (parameter !== null) parameters.push(parameter[1]!);
    else if (/[{}]/.test(segment))
      return new Refusal(
        'has a parameter that is not a whole segment',
        'A parameter is a whole segment: /users/{id}.',
      );
    else if (/^:[A-Za-z_]\w*$/.test(segment))
      return new Refusal('has a parameter in the form of other routers', `Write {${segment.slice(1)}}.`);
    else if (segment.includes('*') && segment !== '*' && segment !== '**')
      return new Refusal(
        'has a `*` that is not a whole segment',
        '`*` is one whole segment, `**` the rest: /img/**.',
      );
  }
  return twice(parameters) ?? { parameters };
}

/** A path whose `{name}` may stand anywhere in it. */
export function readRewrite(value: string): Pattern | Refusal {
  if (!value.startsWith('/')) return new Refusal('does not begin with `/`', 'Begin the path with a slash.');
  if (/\/\//.test(value)) return new Refusal('holds an empty segment (`//`)', 'Delete a slash.');
  if (value.includes('*'))
    return new Refusal(
      'holds a `*`',
      'Only {parameters} can be put in; stripPrefix keeps the rest of a path.',
    );
  const parameters: string[] = [];
  const literal = value.replace(/\{([A-Za-z_][\w-]*)\}/g, (_all, name: string) => {
    parameters.push(name);
    return 'x';
  });
  if (/[{}]/.test(literal)) return new Refusal('holds a `{` or `}` that belongs to no parameter');
  for (const segment of literal.split('/')) {
    const bad = badSegment(segment);
    if (bad !== null) return bad;
  }
  return { parameters };
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** A method as it travels; CONNECT and TRACE reach no route. */
export function readMethod(value: string): string | Refusal {
  if (value.includes(',') || value.includes(' '))
    return new Refusal('is more than one method', `Write a list: [${value.split(/[\s,|]+/).join(', ')}].`);
  if (value === '*' || value === 'ANY' || value === 'ALL')
    return new Refusal('is no method', 'Leave `methods` out to match all.');
  if (!TOKEN.test(value)) return new Refusal('is no method');
  if (value !== value.toUpperCase())
    return new Refusal('is not in capitals', `Methods are case-sensitive: write ${value.toUpperCase()}.`);
  return value === 'CONNECT' || value === 'TRACE'
    ? new Refusal('never reaches a route', 'The gateway refuses CONNECT and TRACE itself.')
    : value;
}

/** Is it the name of a header (RFC 9110 section 5.6.2)? */
export const isToken = (name: string): boolean => TOKEN.test(name);
