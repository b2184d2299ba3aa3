/** What a route says about the requests that it wants; the configuration's Route has this shape. */

export interface RouteMatch {
  readonly name: string;
  /** '' is any host; exact, `*.example.com`, or with parameters as in `{tenant}.shop.example`. */
  readonly host: string;
  /** `/a`, `/a/*`, `/a/{id}` or `/a/**`. */
  readonly path: string;
  /** Empty: all methods. */
  readonly methods: readonly string[];
  /** Exact values by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** Exact values of a parameter's first occurrence. */
  readonly query: Readonly<Record<string, string>>;
  readonly allow: readonly ('encoded-slash' | 'double-slash')[];
}
