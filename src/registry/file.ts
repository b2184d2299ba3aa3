/** The file registry: a watched file of services; a bad edit is told and changes nothing. */
import type { Issue } from '../config/issues.ts';
import { file as form } from '../config/registries/file.ts';
import { type FileWatch, watchFiles } from '../config/watch.ts';
import { hasMetadata } from './entry.ts';
import { type Registry, type RegistryListener, type RegistryParts, registryKind } from './registry.ts';
import { readServiceFile, type ServiceFile } from './service-file.ts';

interface Query {
  readonly service: string;
  readonly options: { readonly metadata: Readonly<Record<string, string>> };
}

const whereOf = ({ place }: Issue): string =>
  place === null ? '' : `${place.file}:${place.line}:${place.column}`;

class FileRegistry implements Registry {
  readonly #path: string;
  readonly #log: RegistryParts['log'];
  readonly #watch: FileWatch;
  readonly #watches = new Map<RegistryListener, Query>();
  #read: ServiceFile;

  constructor(path: string, parts: RegistryParts) {
    this.#path = path;
    this.#log = parts.log;
    // Watched before it is read: no edit in between is lost.
    this.#watch = watchFiles([path], parts.clock, () => this.#changed());
    this.#read = this.#load();
  }

  watch(query: Query, to: RegistryListener) {
    this.#watches.set(to, query);
    queueMicrotask(() => this.#tell(to));
    return { close: () => void this.#watches.delete(to) };
  }

  async close(): Promise<void> {
    this.#watches.clear();
    this.#watch.close();
  }

  #load(): ServiceFile {
    const read = readServiceFile(this.#path);
    if ('issues' in read)
      for (const issue of read.issues)
        this.#log.error('the file of services is refused; what it said last stays in use', {
          where: whereOf(issue),
          message: issue.message,
          remedy: issue.remedy,
        });
    return read;
  }

  #changed(): void {
    this.#read = this.#load();
    for (const to of this.#watches.keys()) this.#tell(to);
  }

  #tell(to: RegistryListener): void {
    const query = this.#watches.get(to);
    if (query === undefined) return;
    const read = this.#read;
    if ('services' in read) {
      const all = read.services.get(query.service) ?? [];
      to.endpoints(all.filter((endpoint) => hasMetadata(endpoint, query.options.metadata)));
      return;
    }
    const [first] = read.issues;
    to.failed(new Error(`${whereOf(first!)} ${first!.message}`));
  }
}

const lineOf = (issue: Issue): string =>
  `${whereOf(issue)} ${issue.message}${issue.remedy === null ? '' : ` (${issue.remedy})`}`;

export const fileKind = registryKind(
  form,
  ({ path }, parts) => new FileRegistry(parts.resolveFile(path), parts),
  {
    inspect({ path }, resolveFile) {
      const read = readServiceFile(resolveFile(path));
      return 'issues' in read ? read.issues.map(lineOf) : [];
    },
  },
);
