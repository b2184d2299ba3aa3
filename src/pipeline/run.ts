/** Runs the hooks of a chain: synchronously until a hook returns a promise, and never past a failure. */
import { GatewayError, gatewayError, KINDS } from '../kernel/errors.ts';
import type { EndpointInfo, Exchange, Reply, RequestHead } from '../plugin.ts';
import { createFields } from '../wire/fields.ts';
import { type Ask, type Chain, isThenable, type Step } from './chain.ts';

/** What the runners need of an exchange beside what plugins see. */
export interface RunningExchange extends Exchange {
  /** True once the client has gone. */
  readonly left: boolean;
  /** True once no more hooks before the upstream run: the client has gone, or its time was over. */
  readonly stopped: boolean;
}

export type Outcome = undefined | Reply | Promise<undefined | Reply>;

/** Given instead of an answer when the exchange ended while a hook was awaited: nobody is there to be answered. */
export const LEFT: Reply = Object.freeze({
  status: KINDS.GW_CLIENT_LEFT.status,
  fields: Object.freeze(createFields()),
  body: null,
  by: 'gateway',
  error: gatewayError('GW_CLIENT_LEFT', 'while a plugin was at work'),
});

/** accept, authenticate, authorize, admit: undefined to go on, a Reply to answer now, LEFT, or a promise of these. */
export function runBefore(chain: Chain, x: RunningExchange): Outcome {
  return chain.before === null ? undefined : runSteps(chain.before, 0, x);
}

/** The `request` hooks: as `runBefore`. */
export function runRequest(chain: Chain, x: RunningExchange): Outcome {
  return chain.request === null ? undefined : runSteps(chain.request, 0, x);
}

function runSteps(steps: readonly Step<Ask>[], from: number, x: RunningExchange): Outcome {
  for (let at = from; at < steps.length; at++) {
    const step = steps[at]!;
    let answer: unknown;
    try {
      answer = step.run(x);
    } catch (error) {
      return failed(step, error, x);
    }
    if (answer === undefined || answer === null) continue;
    if (isThenable(answer)) return resumeSteps(answer, { steps, at }, x);
    return asReply(step, answer, x);
  }
  return undefined;
}

async function resumeSteps(
  pending: PromiseLike<unknown>,
  { steps, at }: { steps: readonly Step<Ask>[]; at: number },
  x: RunningExchange,
): Promise<undefined | Reply> {
  const step = steps[at]!;
  let answer: unknown;
  try {
    answer = await pending;
  } catch (error) {
    // An abort that followed from the end of the exchange is no failure of the plugin.
    return x.stopped ? LEFT : failed(step, error, x);
  }
  if (x.stopped) return LEFT;
  if (answer !== undefined && answer !== null) return asReply(step, answer, x);
  return runSteps(steps, at + 1, x);
}

/**
 * The `response` hooks, the last instance's first, on any final answer.
 * A hook that fails turns the answer into a 500, which the remaining hooks still see; a body that is no longer sent
 * is cancelled.
 */
export function runResponse(chain: Chain, x: RunningExchange, reply: Reply): Reply | Promise<Reply> {
  return chain.response === null ? reply : runChanges({ chain, at: 0 }, x, reply);
}

interface Position {
  readonly chain: Chain;
  readonly at: number;
}

function runChanges(from: Position, x: RunningExchange, reply: Reply): Reply | Promise<Reply> {
  const steps = from.chain.response!;
  let current = reply;
  for (let at = from.at; at < steps.length; at++) {
    const step = steps[at]!;
    let answer: unknown;
    try {
      answer = step.run(x, current);
    } catch (error) {
      current = replace(current, failed(step, error, x));
      continue;
    }
    if (answer === undefined || answer === null) continue;
    if (isThenable(answer)) return resumeChanges(answer, { chain: from.chain, at, reply: current }, x);
    current = replace(current, asReply(step, answer, x));
  }
  return current;
}

async function resumeChanges(
  pending: PromiseLike<unknown>,
  from: Position & { readonly reply: Reply },
  x: RunningExchange,
): Promise<Reply> {
  const step = from.chain.response![from.at]!;
  let current = from.reply;
  try {
    const answer = await pending;
    if (answer !== undefined && answer !== null) current = replace(current, asReply(step, answer, x));
  } catch (error) {
    if (!x.left) current = replace(current, failed(step, error, x));
  }
  if (x.left) return replace(current, LEFT);
  return runChanges({ chain: from.chain, at: from.at + 1 }, x, current);
}

/** The other answer; what fed the first one's body is let go, since bodies change only through stages. */
function replace(from: Reply, to: Reply): Reply {
  const body = from.body;
  if (body !== null && body !== to.body && !(body instanceof Uint8Array)) {
    body.cancel(to.error ?? gatewayError('GW_PLUGIN', 'a plugin gave another answer'));
  }
  return to;
}

/**
 * The `attempt` hooks, on the head of one try. Call it only where `chain.attempt` is not null.
 * @throws GatewayError GW_PLUGIN (or a hook's own) when a hook fails: the try must not be sent
 */
export function runAttempt(
  chain: Chain,
  x: Exchange,
  { head, to }: { readonly head: RequestHead; readonly to: EndpointInfo },
): void {
  for (const step of chain.attempt ?? []) {
    let answer: unknown;
    try {
      answer = step.run(x, head, to);
    } catch (error) {
      throw errorOf(step, error, x);
    }
    if (!isThenable(answer)) continue;
    answer.then(undefined, () => undefined);
    throw errorOf(step, new Error('it returned a promise, but attempt hooks are synchronous'), x);
  }
}

/** The `log` hooks, once; a failure is logged and hurts nobody. */
export function runLog(chain: Chain, x: Exchange): void {
  for (const step of chain.log ?? []) {
    try {
      const answer = step.run(x);
      if (isThenable(answer)) answer.then(undefined, (error: unknown) => void errorOf(step, error, x));
    } catch (error) {
      errorOf(step, error, x);
    }
  }
}

type AnyStep = Pick<Step<unknown>, 'phase' | 'owner'>;

/** What a hook gave, if it is an answer; anything else is a failure, so that a mistake never lets a request pass. */
function asReply(step: AnyStep, answer: unknown, x: Exchange): Reply {
  const { status, fields } = answer as Partial<Reply>;
  const isAnswer =
    typeof status === 'number' &&
    Number.isInteger(status) &&
    status >= 200 &&
    status <= 599 &&
    typeof fields === 'object' &&
    fields !== null;
  if (!isAnswer) {
    return failed(step, new Error('it returned something that is neither nothing nor a reply'), x);
  }
  const reply = answer as Reply;
  // Written without types, it may lack what has an obvious value.
  reply.body ??= null;
  reply.by ??= 'plugin';
  reply.error ??= null;
  return reply;
}

function failed(step: AnyStep, error: unknown, x: Exchange): Reply {
  const known = errorOf(step, error, x);
  return {
    status: known.status,
    fields: createFields(),
    body: null,
    by: known.code === 'GW_PLUGIN' ? 'gateway' : 'plugin',
    error: known,
  };
}

/** A GatewayError keeps its code; anything else is the plugin's failure, logged with its stack. */
function errorOf(step: AnyStep, error: unknown, x: Exchange): GatewayError {
  if (error instanceof GatewayError) return error;
  if (isForeign(error)) return gatewayError(error.code, error.detail, error.cause);
  const message = error instanceof Error ? error.message : String(error);
  const { name, log } = step.owner;
  log.error('a hook failed', { traceId: x.id, instance: name, phase: step.phase, error });
  return gatewayError('GW_PLUGIN', `${name} (${step.phase}): ${message}`, error);
}

/** A GatewayError of another copy of the class, as when a test runner loads the gateway a second time. */
function isForeign(error: unknown): error is GatewayError {
  return error instanceof Error && 'code' in error && 'proxyStatus' in error && String(error.code) in KINDS;
}
