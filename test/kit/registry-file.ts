/** A file of services as a registry server: its process is whoever edits it. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Instance, RegistryAdapter } from '../conformance/registries.ts';

export const fileAdapter: RegistryAdapter = {
  name: 'file',
  skip: null,
  trouble: 'no-freeze',
  delayMs: 1500,
  noticeMs: 1500,
  async start() {
    const folder = mkdtempSync(join(tmpdir(), 'snowgate-services-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'services.yaml');
    let services = new Map<string, Map<string, Instance>>();
    const write = (text: string) => {
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    };
    const save = () => {
      const lines = [...services].flatMap(([service, instances]) => [
        `${service}:`,
        ...[...instances.values()].map(
          ({ id, port, weight }) => `  - { id: ${id}, address: 127.0.0.1:${port}, weight: ${weight} }`,
        ),
        ...(instances.size === 0 ? ['  []'] : []),
      ]);
      write(lines.length === 0 ? '{}\n' : `${lines.join('\n')}\n`);
    };
    save();
    const of = (service: string) => services.getOrInsertComputed(service, () => new Map<string, Instance>());
    return {
      settings: `type: file, path: ${path}`,
      async put(service, instance) {
        of(service).set(instance.id, instance);
        save();
      },
      async drain(service, id) {
        of(service).set(id, { ...of(service).get(id)!, weight: 0 });
        save();
      },
      async remove(service, id) {
        of(service).delete(id);
        save();
      },
      faults: {
        kill: async () => rmSync(path),
        freeze: async () => undefined,
        thaw: async () => undefined,
        async restartEmpty() {
          services = new Map();
          save();
        },
        rubbish: async () => write('orders: [{ address: nowhere'),
      },
    };
  },
};
