import type { LogLine, LogSink } from './log-line.ts';

const RANK = { debug: 0, info: 1, warn: 2, error: 3 } as const;
const PALETTE = [36, 32, 35, 34, 96, 92, 95, 94];
const LEVEL_COLOUR = { debug: 90, info: 0, warn: 33, error: 31 } as const;

export interface ConsoleOptions {
  readonly write: (text: string) => void;
  readonly format: 'text' | 'json';
  readonly level: LogLine['level'];
  readonly colour: boolean;
}

/** Writes log lines for a person (`12:03:04 collector   connected cluster=shop`) or for a machine (JSON lines). */
export function openConsole(options: ConsoleOptions): LogSink {
  const colours = new Map<string, number>();
  const paint = (code: number, text: string): string =>
    options.colour && code > 0 ? `\x1b[${code}m${text}\x1b[0m` : text;
  let width = 11;
  return (line) => {
    if (RANK[line.level] < RANK[options.level]) return;
    if (options.format === 'json') {
      const { service, level, time, message, facts } = line;
      return options.write(`${JSON.stringify({ level, time: time.toISOString(), service, msg: message, ...facts })}\n`);
    }
    width = Math.max(width, line.service.length);
    const colour = colours.get(line.service) ?? PALETTE[colours.size % PALETTE.length] ?? 0;
    colours.set(line.service, colour);
    const clock = line.time.toTimeString().slice(0, 8);
    const word = line.level === 'info' ? '' : `${line.level} `;
    const facts = formatFacts(line.facts);
    const text = `${paint(LEVEL_COLOUR[line.level], `${word}${line.message}`)}${facts === '' ? '' : paint(90, ` ${facts}`)}`;
    options.write(`${paint(90, clock)} ${paint(colour, line.service.padEnd(width))} ${text}\n`);
  };
}

function formatFacts(facts: LogLine['facts']): string {
  return Object.entries(facts)
    .map(([key, value]) => {
      if (key === 'error') return describe(value);
      if (typeof value === 'string' && value.includes('\n')) return `${key}:\n${indent(value)}`;
      return `${key}=${formatValue(value)}`;
    })
    .join(' ');
}

const indent = (text: string): string => text.replace(/^/gm, '    ');

function formatValue(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? 'undefined';
}

/** An error as services log it: `{name, code, message, cause, stack}`. */
function describe(error: unknown): string {
  if (typeof error !== 'object' || error === null) return `error=${formatValue(error)}`;
  const { code, message, cause, stack } = error as Record<string, unknown>;
  const because = cause === undefined ? '' : ` because ${describe(cause)}`;
  const where = typeof stack === 'string' ? `\n${indent(stack)}` : '';
  return `${String(message ?? JSON.stringify(error))}${code === undefined ? '' : ` (${String(code)})`}${because}${where}`;
}
