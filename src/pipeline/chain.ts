/** Instances compiled into flat lists of hooks, one a phase, in the order in which they run. */
import type { EndpointInfo, Exchange, Hooks, Reply, RequestHead } from '../plugin.ts';
import { refuse } from '../plugin.ts';
import type { Instance } from './instances.ts';

/** One hook of one instance. */
export interface Step<Run> {
  readonly run: Run;
  readonly phase: keyof Hooks;
  readonly owner: Pick<Instance, 'name' | 'log'>;
}

export type Ask = (x: Exchange) => unknown;
export type Change = (x: Exchange, reply: Reply) => unknown;
export type Touch = (x: Exchange, head: RequestHead, to: EndpointInfo) => unknown;

type Steps<Run> = readonly Step<Run>[] | null;

/** What runs for a route (or for a route on one of its upstreams); null where nothing does. */
export interface Chain {
  /** accept, authenticate, authorize and admit in one list. */
  readonly before: Steps<Ask>;
  readonly request: Steps<Ask>;
  readonly attempt: Steps<Touch>;
  /** The last instance first. */
  readonly response: Steps<Change>;
  readonly log: Steps<Ask>;
  /** Places that an exchange on this chain needs. */
  readonly slotCount: number;
  readonly instances: readonly Instance[];
}

type RunName = Exclude<keyof Hooks, 'dispose' | 'explain' | 'optional' | 'challenge' | 'reserves'>;

/** The hook, bound: a setup may well give an object of a class. */
function stepsOf<Run>(instances: readonly Instance[], phase: RunName): Step<Run>[] {
  return instances.flatMap((owner) => {
    const hook = owner.hooks[phase];
    return hook === undefined ? [] : [{ run: hook.bind(owner.hooks) as Run, phase, owner }];
  });
}

const orNull = <T>(list: readonly T[]): readonly T[] | null => (list.length === 0 ? null : list);

/** Runs an authenticator so that a principal that is already known stays: the first to vouch is the one that counts. */
const keepFirst =
  (run: Ask): Ask =>
  (x) => {
    const first = x.principal;
    if (first === null) return run(x);
    const answer = run(x);
    x.principal = first;
    if (!isThenable(answer)) return answer;
    return Promise.resolve(answer).then((value) => {
      x.principal = first;
      return value;
    });
  };

const authenticators = (instances: readonly Instance[]): readonly Instance[] =>
  instances.filter((instance) => instance.hooks.authenticate !== undefined);

const mayBeAnonymous = (asked: readonly Instance[]): boolean =>
  asked.every((instance) => instance.hooks.optional === true);

/** The 401 for whoever brought no credential, with the challenges of all that would have taken one. */
const asksForCredential = (asked: readonly Instance[]): (() => Reply) => {
  const challenges = [...new Set(asked.flatMap((instance) => instance.hooks.challenge ?? []))];
  const detail = `no credential for ${asked.map((instance) => instance.name).join(', ')}`;
  return () =>
    refuse('GW_UNAUTHENTICATED', detail, challenges.length === 0 ? {} : { 'www-authenticate': challenges });
};

/** What is asked after the last authenticator, unless all of them are optional: did anybody vouch? */
const guard = (asked: readonly Instance[]): Step<Ask> => {
  const ask = asksForCredential(asked);
  return {
    run: (x) => (x.principal === null ? ask() : undefined),
    phase: 'authenticate',
    owner: asked.at(-1)!,
  };
};

function authenticateSteps(instances: readonly Instance[]): Step<Ask>[] {
  const steps = stepsOf<Ask>(instances, 'authenticate');
  const asked = authenticators(instances);
  for (let at = 1; at < steps.length; at++) steps[at] = { ...steps[at]!, run: keepFirst(steps[at]!.run) };
  return mayBeAnonymous(asked) ? steps : [...steps, guard(asked)];
}

/** Whoever may not pass anonymously, and could show a credential, is asked for it (RFC 9110 section 15.5.2). */
const askFirst = (run: Ask, ask: () => Reply): Ask => {
  const judge = (x: Exchange, answer: unknown): unknown => {
    const error = (answer as Reply | null | undefined)?.error;
    return x.principal === null && error?.code === 'GW_FORBIDDEN' ? ask() : answer;
  };
  return (x) => {
    const answer = run(x);
    if (!isThenable(answer)) return judge(x, answer);
    return Promise.resolve(answer).then((value) => judge(x, value));
  };
};

function authorizeSteps(instances: readonly Instance[]): Step<Ask>[] {
  const steps = stepsOf<Ask>(instances, 'authorize');
  const asked = authenticators(instances);
  if (asked.length === 0 || !mayBeAnonymous(asked)) return steps;
  const ask = asksForCredential(asked);
  return steps.map((step) => ({ ...step, run: askFirst(step.run, ask) }));
}

/** True for anything that can be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

/**
 * Compiles instances, given in the order of `resolveUses`.
 * @param earlier those that let the request in before this chain took over: whoever counted it there must see its end,
 *   also where the upstream takes the instance away
 */
export function compileChain(instances: readonly Instance[], earlier: readonly Instance[] = []): Chain {
  const before = [
    ...stepsOf<Ask>(instances, 'accept'),
    ...authenticateSteps(instances),
    ...authorizeSteps(instances),
    ...stepsOf<Ask>(instances, 'admit'),
  ];
  const all = [...earlier.filter((instance) => !instances.includes(instance)), ...instances];
  return {
    before: orNull(before),
    request: orNull(stepsOf<Ask>(instances, 'request')),
    attempt: orNull(stepsOf<Touch>(instances, 'attempt')),
    response: orNull(stepsOf<Change>(instances, 'response').reverse()),
    log: orNull(stepsOf<Ask>(all, 'log')),
    slotCount: all.reduce((most, instance) => Math.max(most, instance.slot + 1), 0),
    instances,
  };
}
