/** Prints issues for people: the place, the line with a caret under it, and what to do. */
import type { Issue } from './issues.ts';
import { lineAt } from './source.ts';

const WIDTH = 100;

const COLOURS = { error: '1;31', warning: '1;33', note: '1;36' } as const;

type Paint = (text: string, codes: string) => string;

const plain: Paint = (text) => text;
const coloured: Paint = (text, codes) => `\u001b[${codes}m${text}\u001b[0m`;

/** Escapes of the terminal in a file must not reach it. */
const visible = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, ' ');

const excerpt = (text: string, issue: Issue, paint: Paint): string[] => {
  if (issue.place === null || text === '') return [];
  const { line, column } = issue.place;
  const whole = visible(lineAt(text, line));
  if (whole.trim() === '') return [];
  const from = column <= WIDTH - 20 ? 0 : column - 1 - 40;
  const shown = `${from > 0 ? '…' : ''}${whole.slice(from, from + WIDTH)}${whole.length > from + WIDTH ? '…' : ''}`;
  const caret = column - 1 - from + (from > 0 ? 1 : 0);
  const number = String(line).padStart(5);
  return [
    `${paint(`${number} |`, '2')} ${shown}`,
    `${paint(`${' '.repeat(5)} |`, '2')} ${' '.repeat(caret)}${paint('^', COLOURS[issue.severity])}`,
  ];
};

/**
 * All issues as text, one block each, without a line end after the last.
 * @param loaded the file's text, for the excerpts
 */
export function formatIssues(
  issues: readonly Issue[],
  loaded: { readonly text: string },
  color: boolean,
): string {
  const paint = color ? coloured : plain;
  return issues
    .map((issue) => {
      const { place } = issue;
      const where = place === null ? '' : `${visible(place.file)}:${place.line}:${place.column} `;
      const word = paint(`${issue.severity}:`, COLOURS[issue.severity]);
      const lines = [
        `${paint(where, '1')}${word} ${visible(issue.message)}`,
        ...excerpt(loaded.text, issue, paint),
      ];
      if (issue.remedy !== null) lines.push(`${' '.repeat(8)}${visible(issue.remedy)}`);
      return lines.join('\n');
    })
    .join('\n\n');
}
