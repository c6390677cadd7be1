import { expect, test } from 'vitest';
import { openConsole, type ConsoleOptions } from './console.ts';
import { readNatsLine, readServiceLine } from './log-line.ts';

const now = new Date(2026, 0, 2, 3, 4, 5);

function show(text: string, options: Partial<ConsoleOptions> = {}, read = readServiceLine): string {
  let written = '';
  const write = (more: string): void => void (written += more);
  const log = openConsole({ write, format: 'text', level: 'info', colour: false, ...options });
  const line = read('collector', text, now);
  if (line !== null) log(line);
  return written;
}

test('a JSON line becomes one for people: time, service, message, facts', () => {
  const json = JSON.stringify({
    level: 'warn',
    time: now.toISOString(),
    service: 'x',
    msg: 'slow',
    waitMs: 3,
    why: 'a b',
  });
  expect(show(json)).toBe('03:04:05 collector   warn slow waitMs=3 why="a b"\n');
});

test('an error is told with its code and its causes', () => {
  const error = { name: 'E', code: 'GONE', message: 'no broker', cause: { message: 'refused', code: 'ECONNREFUSED' } };
  const json = JSON.stringify({ level: 'error', time: now.getTime(), msg: 'cannot connect', error });
  expect(show(json)).toContain('error cannot connect no broker (GONE) because refused (ECONNREFUSED)');
});

test('what is not JSON passes as it is, in JSON as a message', () => {
  expect(show('{half')).toBe('03:04:05 collector   {half\n');
  const { service, msg } = JSON.parse(show('plain', { format: 'json' })) as Record<string, unknown>;
  expect([service, msg]).toEqual(['collector', 'plain']);
});

test('nats-server is heard from warnings on', () => {
  const line = (level: string): string => `[12] 2026/01/02 03:04:05.678901 [${level}] something`;
  expect(show(line('INF'), {}, readNatsLine)).toBe('');
  expect(show(line('ERR'), {}, readNatsLine)).toBe('03:04:05 collector   error something\n');
});
