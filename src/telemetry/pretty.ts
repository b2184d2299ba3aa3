/** The human forms of log lines, for a terminal. */
import type { Outcome } from './outcome.ts';
import { plainText, TimeText } from './text.ts';

const RESET = '\u001b[0m';
const DIM = '\u001b[2m';
const RED = '\u001b[31m';
const GREEN = '\u001b[32m';
const YELLOW = '\u001b[33m';
const CYAN = '\u001b[36m';

const statusColour = (status: number) => {
  if (status >= 500) return RED;
  if (status >= 400) return YELLOW;
  return status >= 300 ? CYAN : GREEN;
};

const tookText = (ms: number) => (ms < 10 ? `${ms.toFixed(1)}ms` : `${Math.round(ms)}ms`);

/** Makes the function that prints an outcome as one coloured line: time, request, status, duration, way, code. */
export function createPrettyLine(): (o: Outcome) => string {
  const times = new TimeText();
  return (o) => {
    const time = times.iso(o.startWallMs).slice(11, 23);
    const request = `${plainText(o.method).padEnd(4)} ${plainText(o.path)}${o.hasQuery ? '?…' : ''}`;
    const way = o.endpoint === '' ? o.route : `${o.route} → ${o.endpoint}`;
    const detail = o.detail === '' ? '' : ` ${DIM}${plainText(o.detail)}${RESET}`;
    const code = o.code === '-' ? '' : `  ${RED}${o.code}${RESET}${detail}`;
    const tries = o.attempts > 1 ? `  ${YELLOW}${o.attempts} tries${RESET}` : '';
    const without = o.degraded === '' ? '' : `  ${YELLOW}${o.degraded}${RESET}`;
    return (
      `${DIM}${time}${RESET} ${request} ${statusColour(o.status)}${o.status}${RESET} ` +
      `${tookText(o.totalMs)}  ${DIM}${plainText(way)}${RESET}${tries}${without}${code}\n`
    );
  };
}

const LEVEL_COLOURS: Record<string, string> = { debug: DIM, info: GREEN, warn: YELLOW, error: RED };
const OWN = new Set(['log', 'level', 'time', 'msg', 'plugin']);

const fieldText = (name: string, value: unknown): string => {
  if (typeof value === 'object' && value !== null && 'stack' in value && typeof value.stack === 'string') {
    return `\n${DIM}${value.stack.split('\n').map(plainText).join('\n')}${RESET}`;
  }
  return ` ${DIM}${name}=${RESET}${plainText(typeof value === 'string' ? value : JSON.stringify(value))}`;
};

/** Turns one of the logger's JSON lines into the form for people. */
export function prettyLogLine(json: string): string {
  const line = JSON.parse(json) as Record<string, unknown>;
  const level = String(line.level);
  const time = String(line.time).slice(11, 23);
  const plugin = typeof line.plugin === 'string' ? ` ${CYAN}${plainText(line.plugin)}${RESET}` : '';
  const message = String(line.msg ?? '')
    .split('\n')
    .map(plainText)
    .join('\n');
  const fields = Object.entries(line)
    .filter(([name]) => !OWN.has(name))
    .map(([name, value]) => fieldText(name, value))
    .join('');
  const colour = LEVEL_COLOURS[level] ?? '';
  return `${DIM}${time}${RESET} ${colour}${level.padEnd(5)}${RESET}${plugin} ${message}${fields}\n`;
}
