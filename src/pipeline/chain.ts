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

type RunName = Exclude<keyof Hooks, 'dispose' | 'optional' | 'challenge'>;

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

/** What is asked after the last authenticator, unless all of them are optional: did anybody vouch? */
const guard = (instances: readonly Instance[]): Step<Ask> => {
  const challenges = [...new Set(instances.flatMap((instance) => instance.hooks.challenge ?? []))];
  const names = instances.map((instance) => instance.name).join(', ');
  const fields = challenges.length === 0 ? {} : { 'www-authenticate': challenges };
  return {
    run: (x) =>
      x.principal === null ? refuse('GW_UNAUTHENTICATED', `no credential for ${names}`, fields) : undefined,
    phase: 'authenticate',
    owner: instances.at(-1)!,
  };
};

function authenticateSteps(instances: readonly Instance[]): Step<Ask>[] {
  const steps = stepsOf<Ask>(instances, 'authenticate');
  const asked = instances.filter((instance) => instance.hooks.authenticate !== undefined);
  for (let at = 1; at < steps.length; at++) steps[at] = { ...steps[at]!, run: keepFirst(steps[at]!.run) };
  const mayBeAnonymous = asked.every((instance) => instance.hooks.optional === true);
  return mayBeAnonymous ? steps : [...steps, guard(asked)];
}

/** True for anything that can be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

/** Compiles instances, given in the order of `resolveUses`. */
export function compileChain(instances: readonly Instance[]): Chain {
  const before = [
    ...stepsOf<Ask>(instances, 'accept'),
    ...authenticateSteps(instances),
    ...stepsOf<Ask>(instances, 'authorize'),
    ...stepsOf<Ask>(instances, 'admit'),
  ];
  return {
    before: orNull(before),
    request: orNull(stepsOf<Ask>(instances, 'request')),
    attempt: orNull(stepsOf<Touch>(instances, 'attempt')),
    response: orNull(stepsOf<Change>(instances, 'response').reverse()),
    log: orNull(stepsOf<Ask>(instances, 'log')),
    slotCount: instances.reduce((most, instance) => Math.max(most, instance.slot + 1), 0),
    instances,
  };
}
