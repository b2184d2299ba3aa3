/** The shape of one resource of the admin server. */
import type { PluginLogger } from '../plugin.ts';
import type { AdminAnswer } from './answer.ts';
import type { AdminSources } from './sources.ts';

export interface AdminContext {
  readonly sources: AdminSources;
  readonly log: PluginLogger;
  /** What stood for the segments in braces. */
  readonly params: Readonly<Record<string, string>>;
  /** '' where the resource takes none. */
  readonly body: string;
}

export interface Resource {
  /** Segments in braces stand for any text. */
  readonly path: string;
  /** GET answers HEAD too. */
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Largest body that it takes; absent: none. */
  readonly bodyBytes?: number;
  /** True: needs no token at any address, so that probes and Prometheus work. */
  readonly open: boolean;
  /** One sentence for the index and the docs. */
  readonly summary: string;
  answer(context: AdminContext): AdminAnswer | Promise<AdminAnswer>;
}
