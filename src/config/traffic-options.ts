/** What steers a route's traffic beside its upstream, with every default filled in. */

/** What is done to some requests on purpose. */
export interface Fault {
  /** 0: none. */
  readonly delayMs: number;
  /** The status to answer with instead of sending the request on; null: it is sent on. */
  readonly abort: number | null;
  /** Part of the requests that `when` lets through, 0 to 1. */
  readonly percent: number;
  /** Word to value; all must be as said. Null prototype. */
  readonly when: Readonly<Record<string, string>>;
}

/** Where copies of requests go. */
export interface Mirror {
  /** Name of the upstream. */
  readonly upstream: string;
  /** Part of the requests, 0 to 1. */
  readonly percent: number;
}

/** The part of a route that is read here. */
export interface Traffic {
  /** The word by whose value a request keeps its upstream; null: in turn. */
  readonly splitBy: string | null;
  readonly fault: Fault | null;
  readonly mirror: Mirror | null;
}
