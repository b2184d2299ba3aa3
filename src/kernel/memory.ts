/** How much of the memory that it may have the process uses. */
import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';

/** The limit of the container where there is one, else the machine's memory. */
const limitBytes = (): number => {
  const constrained = process.constrainedMemory();
  // Without a limit Node gives 0, or a number beyond all memory.
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
};

/** 0 to 1: of the heap of V8 or of the memory outside, whichever is nearer to its end. */
export function memoryUsed(): number {
  const { used_heap_size: usedBytes, heap_size_limit: heapBytes } = getHeapStatistics();
  return Math.max(usedBytes / heapBytes, process.memoryUsage.rss() / limitBytes());
}
