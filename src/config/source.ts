/** The text of a configuration file and where its lines begin. */
import type { Place } from './issues.ts';

export interface Source {
  /** As it was given to the loader. */
  readonly file: string;
  readonly text: string;
  /** Offset of the first character of each line. */
  readonly starts: readonly number[];
}

/** Splits a text into lines; `\r\n` and `\n` both end one. */
export function createSource(file: string, text: string): Source {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return { file, text, starts };
}

/** Line and column, from 1, of an offset; an offset past the end is the end. */
export function placeAt(source: Source, offset: number): Place {
  const wanted = Math.max(0, Math.min(offset, source.text.length));
  let low = 0;
  let high = source.starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (source.starts[middle]! <= wanted) low = middle;
    else high = middle - 1;
  }
  return { file: source.file, line: low + 1, column: wanted - source.starts[low]! + 1 };
}

/** One line without its end; '' when there is none such. */
export function lineAt(text: string, line: number): string {
  let start = 0;
  for (let count = 1; count < line; count++) {
    const end = text.indexOf('\n', start);
    if (end < 0) return '';
    start = end + 1;
  }
  const end = text.indexOf('\n', start);
  return text.slice(start, end < 0 ? undefined : end).replace(/\r$/, '');
}
