/** Gathers what is wrong with a configuration after it was read: plugins, files, addresses. */
import type { Issue, Place } from '../config/issues.ts';
import type { ConfigPath } from '../config/types.ts';

export interface Finding {
  readonly message: string;
  readonly path: ConfigPath;
  readonly remedy?: string | null;
}

export class IssueList {
  readonly issues: Issue[] = [];
  readonly #locate: (path: ConfigPath) => Place | null;

  constructor(locate: (path: ConfigPath) => Place | null) {
    this.#locate = locate;
  }

  error(finding: Finding): void {
    this.#add('error', finding);
  }

  warn(finding: Finding): void {
    this.#add('warning', finding);
  }

  /** Something that works and may still surprise; told once, however many places there are. */
  note(finding: Finding): void {
    const { message } = finding;
    if (!this.issues.some((issue) => issue.severity === 'note' && issue.message === message))
      this.#add('note', finding);
  }

  get refused(): boolean {
    return this.issues.some((issue) => issue.severity === 'error');
  }

  #add(severity: Issue['severity'], { message, path, remedy = null }: Finding): void {
    // One plugin instance may serve many routes; its mistake is told once.
    if (this.issues.some((issue) => issue.message === message && String(issue.path) === String(path))) return;
    this.issues.push({ severity, message, path, remedy, place: this.#locate(path) });
  }
}
