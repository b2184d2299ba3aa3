/** CPU time and memory of a process and its children, as the kernel counts them. */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts CPU time in ticks of a hundredth of a second (USER_HZ). */
const TICK_US = 10_000;

interface Stat {
  readonly parent: number;
  readonly ticks: number;
}

const statOf = (pid: number): Stat | null => {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null; // It ended between the listing and the look.
  }
  // The name, in parentheses, may hold spaces.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
};

/** The process itself and all that descend from it. */
const treeOf = (root: number): Map<number, Stat> => {
  const all = new Map<number, Stat>();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : null;
    if (stat !== null) all.set(Number(name), stat);
  }
  const belongs = (pid: number): boolean => {
    if (pid === root) return true;
    const stat = all.get(pid);
    return stat !== undefined && stat.parent > 1 && belongs(stat.parent);
  };
  return new Map([...all].filter(([pid]) => belongs(pid)));
};

/** Microseconds of CPU that the tree has used so far, in steps of 10,000. */
export function cpuUs(root: number): number {
  let ticks = 0;
  for (const stat of treeOf(root).values()) ticks += stat.ticks;
  return ticks * TICK_US;
}

/** Bytes of resident memory of the tree. */
export function memoryBytes(root: number): number {
  let bytes = 0;
  for (const pid of treeOf(root).keys()) {
    const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    bytes += Number(kib ?? 0) * 1024;
  }
  return bytes;
}
