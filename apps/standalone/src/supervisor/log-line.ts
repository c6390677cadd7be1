/** What a process says, in one shape whatever it was written in. */
export interface LogLine {
  readonly service: string;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly time: Date;
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

export type LogSink = (line: LogLine) => void;

/** Turns one line of a process' output into a log line; null hides it. */
export type LineReader = (service: string, text: string, now: Date) => LogLine | null;

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/** Reads the JSON lines that pino writes; any other text becomes the message. */
export const readServiceLine: LineReader = (service, text, now) => {
  if (text.trim() === '') return null;
  const said = parseObject(text);
  if (said === null) return { service, level: 'info', time: now, message: text, facts: {} };
  const {
    level,
    time,
    msg,
    message,
    event,
    service: _service,
    name: _name,
    pid: _pid,
    hostname: _host,
    ...facts
  } = said;
  const at = typeof time === 'string' || typeof time === 'number' ? new Date(time) : now;
  return {
    service,
    // a line made for programs, such as {"event":"listening"}, is no news for people
    level: LEVELS.find((known) => known === level) ?? (msg === undefined ? 'debug' : 'info'),
    time: Number.isNaN(at.getTime()) ? now : at,
    message: String(msg ?? message ?? event ?? ''),
    facts,
  };
};

/**
 * Reads `[pid] 2024/01/02 03:04:05.678901 [INF] text`. nats-server tells twenty lines about itself at every start, so
 * its INF counts as debug.
 */
export const readNatsLine: LineReader = (service, text, now) => {
  if (text.trim() === '') return null;
  const match = /^(?:\[\d+\] \S+ \S+ )?\[(\w{3})\] (.*)$/.exec(text);
  if (match === null) return { service, level: 'info', time: now, message: text, facts: {} };
  const level = { WRN: 'warn', ERR: 'error', FTL: 'error' }[match[1] ?? ''] ?? 'debug';
  return { service, level: level as LogLine['level'], time: now, message: match[2] ?? '', facts: {} };
};

function parseObject(text: string): Record<string, unknown> | null {
  if (!text.startsWith('{')) return null;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}
