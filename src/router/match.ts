/** What the router answers. */

/** Decoded values by name; null prototype. */
export type Params = Readonly<Record<string, string>>;

/** `index` is that of the route in the list given; `path` is canonical and what must go on from here. */
export type Match =
  | { readonly kind: 'found'; readonly index: number; readonly params: Params; readonly path: string }
  | { readonly kind: 'not-found'; readonly path: string }
  /** The path is there, the method is not; `index` is the best of the routes that would take another. */
  | {
      readonly kind: 'method';
      readonly allow: readonly string[];
      readonly index: number;
      readonly path: string;
    }
  | { readonly kind: 'bad-path' };
