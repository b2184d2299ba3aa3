/** Outcomes that are known already, in the form that opossum waits for: a promise would tell it a turn too late. */

interface Settled {
  then(succeed: () => void): Settled;
  catch(fail: (error: Error) => void): Settled;
}

const FAILED = new Error('the call failed');

const good: Settled = {
  then(succeed) {
    succeed();
    return good;
  },
  catch: () => good,
};

const bad: Settled = {
  then: () => bad,
  catch(fail) {
    fail(FAILED);
    return bad;
  },
};

/** What opossum runs instead of a call: it calls `then` and, on what that gives, `catch`, and is told at once. */
export function settled(failed: boolean): Promise<void> {
  return (failed ? bad : good) as unknown as Promise<void>;
}
