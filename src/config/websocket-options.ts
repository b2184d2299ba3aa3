/** What a route says of WebSockets, with every default filled in. */

export interface WebSocketOptions {
  /** Origins of pages that may connect, beside the route's own host; null: all. */
  readonly origins: readonly string[] | null;
  /** Longest pause of an open one; null: `timeouts.idle`. */
  readonly idleMs: number | null;
  /** Whether it ends when the credential does that it was opened with. */
  readonly endWithToken: boolean;
}
