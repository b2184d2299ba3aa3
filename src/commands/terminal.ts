/** Where a command prints: text for people, JSON for machines, and the exit codes of both. */
import { styleText } from 'node:util';

export const EXIT = {
  ok: 0,
  /** What was checked is wrong. */
  wrong: 1,
  /** The call itself is. */
  usage: 2,
} as const;

/** Ends a command with a message on standard error and an exit code. */
export class CommandFailed extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.wrong) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** True where colours help: on a terminal whose user has not asked for none. */
export function hasColor(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR;
}

type Style = Parameters<typeof styleText>[0];

/** Paints text for standard output, or leaves it as it is. */
export function paint(style: Style, text: string): string {
  return hasColor(process.stdout) ? styleText(style, text, { validateStream: false }) : text;
}

/** Prints to standard output; a line end is added where there is none. */
export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** Prints to standard error. */
export function printError(text: string): void {
  process.stderr.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** Prints a value as JSON, for `--json`. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Lines of cells, each column as wide as its widest cell. */
export function columns(rows: readonly (readonly string[])[], indent = '  '): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  }
  return rows
    .map(
      (row) =>
        indent +
        row
          .map((cell, at) => cell.padEnd(widths[at]!))
          .join('  ')
          .trimEnd(),
    )
    .join('\n');
}
