/** Reads gateway.yaml and the plugins beside it, and plans them; what `start`, `check` and `explain` begin with. */
import { join } from 'node:path';
import type { Issue } from '../config/issues.ts';
import { type Loaded, loadConfig } from '../config/load.ts';
import { builtInPlugins, type LoadedPlugin, loadPlugins, type PluginIssue } from '../pipeline/load.ts';
import { namedFiles } from '../pipeline/named-files.ts';
import type { PluginLogger } from '../plugin.ts';
import { shadowed } from '../router/shadowed.ts';
import { IssueList } from './issue-list.ts';
import { type Plan, plan } from './plan.ts';

export interface ReadPlan {
  readonly loaded: Loaded;
  readonly catalog: ReadonlyMap<string, LoadedPlugin>;
  /** Null when the file is refused. */
  readonly plan: Plan | null;
  /** All that is known so far; `prepare` adds to it. */
  readonly issues: IssueList;
  /** Absolute; the user's plugin folder among them. A change of any is a reason to read again. */
  files(): string[];
}

export interface ReadOptions {
  /** Path of gateway.yaml. */
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Pick<PluginLogger, 'warn'>;
}

const ofPlugin = (issue: PluginIssue): Issue => ({
  severity: issue.severity,
  message: `${issue.file}${issue.line === null ? '' : `:${issue.line}`}: ${issue.message}`,
  path: [],
  // The place is not in gateway.yaml, whose lines the excerpts are cut from.
  place: null,
  remedy: null,
});

const warnOfShadows = (planned: Plan, issues: IssueList) => {
  const { routes } = planned.config;
  for (const { index, by, reason } of shadowed(routes)) {
    const path = routes[index]!.configPath;
    issues.warn({
      message: `this route can never match: "${routes[by]!.name}" takes its requests (${reason})`,
      path,
    });
  }
};

/** Reads everything; what is wrong is in `issues`, never thrown. */
export async function readPlan({ file, env, log }: ReadOptions): Promise<ReadPlan> {
  const loaded = loadConfig(file, env);
  const folder = join(file, '..', 'plugins');
  const plugins = await loadPlugins([builtInPlugins(), { path: folder, origin: 'user' }], log);
  const issues = new IssueList(loaded.locate);
  issues.issues.push(...loaded.issues, ...plugins.issues.map(ofPlugin));
  const planned = loaded.config === null ? null : plan(loaded.config);
  if (planned !== null) warnOfShadows(planned, issues);
  return {
    loaded,
    catalog: plugins.catalog,
    plan: planned,
    issues,
    files: () => [...new Set([...loaded.files, ...plugins.files, ...namedFiles(), folder])],
  };
}
