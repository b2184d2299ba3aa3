/** The seam of health checks: asks an endpoint how it does, each time over a new connection, as a new client would. */
import type { HealthOptions } from '../config/resilience-options.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Wheel } from '../kernel/wheel.ts';
import type { EndpointSpec } from '../wire/endpoint.ts';
import type { UpstreamTls } from './connector.ts';

export interface Probe {
  /**
   * Asks once; never again before `done` was called.
   * @param done called once, at most a little after the timeout, with what is wrong, or null when all is well
   */
  ask(done: ProbeDone): void;
  /** Gives up what is under way and is of no use any more. */
  close(): void;
}

export type ProbeDone = (problem: string | null) => void;

export interface ProbeParts {
  readonly spec: EndpointSpec;
  readonly options: HealthOptions;
  /** As the endpoint's own connections. */
  readonly tls: UpstreamTls | null;
  readonly clock: Clock;
  readonly wheel: Wheel;
}
