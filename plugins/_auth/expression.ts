/** Conditions in the Common Expression Language (CEL), checked when the file is read and bounded when they run. */
import { type ASTNode, Environment, EvaluationError } from '@marcbachmann/cel-js';
import { compileValue, type Exchange } from 'snowgate/plugin';
import { compileRanges, isRange } from './ranges.ts';

/** A condition that cannot be used; the message says where in the text and why. */
export class ExpressionError extends Error {}

const MOST_CHARACTERS = 2_000;
const ENVIRONMENT = { limits: { maxAstNodes: 500, maxDepth: 32, maxListElements: 200 } } as const;

/** Words that stand for a text or a list by themselves. */
const PLAIN: Readonly<Record<string, { readonly type: string; readonly word: string }>> = {
  scopes: { type: 'list<string>', word: 'principal.scopes' },
  host: { type: 'string', word: 'host' },
  method: { type: 'string', word: 'method' },
  path: { type: 'string', word: 'path' },
  route: { type: 'string', word: 'route' },
};
/** Words with a name after them, each with the type of what the name stands for. */
const NAMED: Readonly<Record<string, string>> = {
  client: 'string',
  cookie: 'string',
  header: 'string',
  params: 'string',
  principal: 'dyn',
  query: 'string',
};
const KNOWN = ['claims', ...Object.keys(PLAIN), ...Object.keys(NAMED)].sort().join(', ');
/** They run once for each entry of a list, so one inside of another would run for each pair. */
const LOOPS = new Set(['all', 'exists', 'exists_one', 'filter', 'map']);

const rangesByText = new Map<string, (address: string) => boolean | null>();

const inRange = (address: string, range: string): boolean => {
  let check = rangesByText.get(range);
  if (check === undefined) {
    check = compileRanges([range]);
    rangesByText.set(range, check);
  }
  return check(address) === true;
};

const environment = new Environment(ENVIRONMENT).registerVariable('claims', 'map<string, dyn>');
for (const [name, { type }] of Object.entries(PLAIN)) environment.registerVariable(name, type);
for (const [name, type] of Object.entries(NAMED)) environment.registerVariable(name, `map<string, ${type}>`);
environment.registerFunction('string.inRange(string): bool', inRange);

const at = (node: ASTNode): string => ` (character ${node.start + 1})`;

const isNode = (value: unknown): value is ASTNode =>
  typeof value === 'object' && value !== null && 'op' in value && 'start' in value;

const childrenOf = (args: unknown): ASTNode[] => {
  if (isNode(args)) return [args];
  return Array.isArray(args) ? args.flatMap(childrenOf) : [];
};

/** `header.a`, `header["a"]` and `"a" in header` say which name of a word is meant; null for anything else. */
const namedIn = (node: ASTNode): { root: string; name: string | null } | null => {
  const rootOf = (side: ASTNode) =>
    side.op === 'id' && Object.hasOwn(NAMED, side.args) ? side.args : undefined;
  const textOf = (side: ASTNode) => (side.op === 'value' && typeof side.args === 'string' ? side.args : null);
  if (node.op === '.') {
    const root = rootOf(node.args[0]);
    return root === undefined ? null : { root, name: node.args[1] };
  }
  if (node.op !== '[]' && node.op !== 'in') return null;
  const [map, name] = node.op === '[]' ? node.args : [node.args[1], node.args[0]];
  const root = rootOf(map);
  return root === undefined ? null : { root, name: textOf(name) };
};

type Read = (x: Exchange) => unknown;

/** What an expression looks at, found once so that a request fills in nothing else. */
class Look {
  readonly plain = new Map<string, Read>();
  readonly named = new Map<string, Map<string, Read>>();
  claims = false;

  /** @throws ExpressionError for what means nothing or could run without bound */
  walk(node: ASTNode, inLoop: boolean): void {
    const found = namedIn(node);
    if (found !== null) {
      this.#note(node, found);
      // The rest of an index or a membership is a text, by what `namedIn` gave.
      return;
    }
    if (node.op === 'id') this.#noteRoot(node, node.args);
    if (inLoop) checkLoop(node);
    if (node.op !== 'rcall') {
      for (const child of childrenOf(node.args)) this.walk(child, inLoop);
      return;
    }
    const [name, receiver, given] = node.args;
    if (name === 'matches')
      throw new ExpressionError(
        `matches is not taken, since a pattern can run for ever; use startsWith, endsWith or contains${at(node)}`,
      );
    if (name === 'inRange') checkRange(node, given[0]);
    this.walk(receiver, inLoop);
    for (const child of given) this.walk(child, inLoop || LOOPS.has(name));
  }

  #note(node: ASTNode, { root, name }: { root: string; name: string | null }): void {
    if (name === null)
      throw new ExpressionError(`the name after ${root} must be written out as text${at(node)}`);
    const names = this.named.get(root) ?? new Map<string, Read>();
    this.named.set(root, names);
    try {
      names.set(name, compileValue(/^[A-Za-z0-9_]+$/.test(name) ? `${root}.${name}` : `${root}["${name}"]`));
    } catch (error) {
      throw new ExpressionError(`${error instanceof Error ? error.message : String(error)}${at(node)}`);
    }
  }

  #noteRoot(node: ASTNode, root: string): void {
    if (root === 'claims') this.claims = true;
    else if (Object.hasOwn(PLAIN, root)) this.plain.set(root, compileValue(PLAIN[root]!.word));
    else if (Object.hasOwn(NAMED, root))
      throw new ExpressionError(`${root} needs a name after it, such as ${root}.id${at(node)}`);
  }

  /** The values for one request. A name that the request doesn't have is left out, as `has` expects. */
  context(x: Exchange): Record<string, unknown> {
    const context: Record<string, unknown> = {};
    if (this.claims) context.claims = x.principal?.claims ?? {};
    for (const [name, read] of this.plain) context[name] = read(x) ?? (name === 'scopes' ? [] : '');
    for (const [root, names] of this.named) {
      const map: Record<string, unknown> = Object.create(null);
      for (const [name, read] of names) {
        const value = read(x);
        if (value !== undefined) map[name] = value;
      }
      context[root] = map;
    }
    return context;
  }
}

/** What costs as much as its list or text is long must not run for each entry of another. */
function checkLoop(node: ASTNode): void {
  if (node.op === 'in' && node.args[1].op !== 'list')
    throw new ExpressionError(`inside of a loop only a list that is written out can be searched${at(node)}`);
  if (node.op !== 'rcall') return;
  const [name] = node.args;
  if (LOOPS.has(name) || name === 'split')
    throw new ExpressionError(`${name} inside of a loop could run too long${at(node)}`);
}

function checkRange(node: ASTNode, given: ASTNode | undefined): void {
  if (given?.op === 'value' && typeof given.args === 'string' && isRange(given.args)) return;
  throw new ExpressionError(`inRange needs an address or a range in quotes, such as "10.0.0.0/8"${at(node)}`);
}

/** A condition on a request; null when it has no answer, as for a claim that isn't there. */
export type Condition = (x: Exchange) => boolean | null;

/**
 * Compiles an expression.
 * @throws ExpressionError when it cannot be read, means nothing, or gives no true or false
 */
export function compileExpression(text: string): Condition {
  if (text.length > MOST_CHARACTERS)
    throw new ExpressionError(`is longer than ${MOST_CHARACTERS} characters`);
  const { valid, type, error } = environment.check(text);
  if (!valid) {
    const where = error?.range === undefined ? '' : ` (character ${error.range.start + 1})`;
    const help = error?.code === 'unknown_variable' ? `; there are ${KNOWN}` : '';
    throw new ExpressionError(
      `${(error?.summary ?? 'cannot be read').replace(/^[A-Z](?=[a-z])/, (c) => c.toLowerCase())}${where}${help}`,
    );
  }
  if (type !== 'bool' && type !== 'dyn') throw new ExpressionError(`gives ${type}, not true or false`);
  const run = environment.parse(text);
  const look = new Look();
  look.walk(run.ast, false);
  return (x) => {
    try {
      const value: unknown = run(look.context(x));
      return typeof value === 'boolean' ? value : null;
    } catch (error) {
      if (error instanceof EvaluationError) return null;
      throw error;
    }
  };
}
