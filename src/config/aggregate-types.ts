/** What the rest of the gateway reads of an aggregate: its parts after parsing, with every default filled in. */
import type { Template } from '../wire/template.ts';

/** A piece of a JSON body: text as it is, the value of a word, or a text with words in it. */
export type BodyPiece = string | { readonly value: string } | { readonly text: Template };

/** The list for whose elements a part is asked, one call for each that differs. */
export interface EachElement {
  /** The part in whose answer it stands. */
  readonly part: string;
  /** Where it stands there. */
  readonly steps: readonly string[];
  /** Most elements that calls are made for. */
  readonly most: number;
  /** Most calls under way at a time. */
  readonly concurrency: number;
  /** The member of its element that an answer becomes; null where the answers are a list of their own. */
  readonly member: string | null;
}

/** One call of an aggregate, and what becomes of its answer. */
export interface AggregatePart {
  readonly name: string;
  readonly upstream: string;
  /** Null for a part that is one call. */
  readonly each: EachElement | null;
  readonly method: string;
  /** Path and query. */
  readonly target: Template;
  /** Names in lower case; null prototype. */
  readonly headers: Readonly<Record<string, Template>>;
  readonly body: readonly BodyPiece[] | null;
  /** Null: only the route's limit counts. */
  readonly timeoutMs: number | null;
  readonly optional: boolean;
  /** JSON; what stands in for an optional part that failed, or for its answer to one element. */
  readonly defaultJson: string;
  /** Steps into the answer; none takes it whole. */
  readonly at: readonly string[];
  /** Null keeps all members. */
  readonly pick: readonly string[] | null;
  readonly drop: readonly string[];
  /** Names of members to names of members; null prototype. */
  readonly rename: Readonly<Record<string, string>>;
  /** Where the answer goes, unless into elements: a name, or null for its members beside the others. */
  readonly into: string | null;
  readonly passStatus: readonly number[];
  readonly setCookie: boolean;
  readonly limitBytes: number;
  /** Names of the parts whose answers this one's request is made from. */
  readonly needs: readonly string[];
  /** Where it stands in the file, for messages. */
  readonly configPath: readonly (string | number)[];
}

export interface Aggregate {
  /** In the file's order, which is that of the answer. */
  readonly parts: readonly AggregatePart[];
  /** Status of an answer that lacks an optional part. */
  readonly partialStatus: number;
}
