/** What the readers of all parts of a file share. */
import type { Files } from './files.ts';
import type { Report } from './report.ts';

export interface Scope {
  readonly report: Report;
  readonly files: Files;
}
