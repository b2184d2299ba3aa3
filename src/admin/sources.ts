/** What the admin server shows: functions that whoever composes the gateway hands in. */
import type { PushRegistry } from '../registry/push.ts';

export interface AdminSources {
  /** The scrape, in Prometheus' text format. */
  metrics(): Promise<string>;
  /** Whether traffic may come; `why` lists what is missing, `degraded` what works less well, one sentence each. */
  ready(): { readonly ready: boolean; readonly why: readonly string[]; readonly degraded: readonly string[] };
  routes(): unknown;
  upstreams(): unknown;
  /** Where the endpoints of each upstream come from, and which are in use. */
  endpoints(): unknown;
  /** The registry that services enter themselves in; null where none is configured. */
  push(): PushRegistry | null;
  /** The running configuration with its secrets hidden. */
  config(): unknown;
  version(): unknown;
  /** Loads the file again; `message` says what happened, or every error of the file. */
  reload(): Promise<{ readonly ok: boolean; readonly message: string }>;
}
