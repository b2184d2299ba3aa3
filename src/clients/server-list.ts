/** Several servers that say the same: the one that answered last is asked first, the others in their order. */

export interface ServerList {
  /** Who is asked now. */
  readonly current: string;
  /**
   * Asks one after another until one answers.
   * @throws what the last one failed with; at once when the signal is aborted
   */
  ask<T>(signal: AbortSignal, ask: (server: string) => Promise<T>): Promise<T>;
}

/** @param servers at least one */
export function createServerList(servers: readonly string[]): ServerList {
  let index = 0;
  const current = () => servers[index % servers.length] ?? '';
  return {
    get current() {
      return current();
    },
    async ask(signal, ask) {
      for (let asked = 1; ; asked++) {
        const server = current();
        try {
          return await ask(server);
        } catch (error) {
          // Others may have moved on meanwhile.
          if (current() === server) index = (index + 1) % servers.length;
          if (asked >= servers.length || signal.aborted) throw error;
        }
      }
    },
  };
}
