import type { SqlLine } from '@meadow/api';
import { expect, test } from 'vitest';
import { SqlRun } from './sql-run.ts';

const columns: SqlLine = { kind: 'columns', columns: [{ name: 'a', type: 'UInt8' }] };
const rows = (...values: number[]): SqlLine => ({ kind: 'rows', rows: values.map((value) => [value]) });
const statistics = { rows: 3, seconds: 0.2, rowsRead: 9, bytesRead: 90, cut: false };
const asked = { statement: 'SELECT a', parameters: {}, explain: null };

/** A server that sends lines and then waits for ever, ends or fails. */
function server(lines: readonly SqlLine[], then: 'end' | 'wait' | Error = 'end') {
  const signals: AbortSignal[] = [];
  return {
    signals,
    async *run(_asked: unknown, signal: AbortSignal) {
      signals.push(signal);
      await Promise.resolve();
      yield* lines;
      if (then instanceof Error) throw then;
      if (then === 'wait') await new Promise((resolve) => (signal.onabort = resolve));
    },
  };
}

test('rows gather in order, and the end says how it was', async () => {
  const clock = [1000, 3500];
  const run = new SqlRun(server([columns, rows(1, 2), rows(3), { kind: 'end', statistics }]), () => clock.shift() ?? 0);
  const seen: number[] = [];
  run.onChange(() => seen.push(run.state.rows.length));
  expect(await run.run(asked)).toMatchObject({
    ...{ phase: 'done', rows: [[1], [2], [3]], statistics, seconds: 2.5, problem: null },
  });
  expect(seen).toEqual([0, 0, 2, 3, 3]);
});

test('a problem is told with the rows that came before it', async () => {
  const problem = { code: 'SQL_TOO_LONG', message: 'took 30 s', position: null } as const;
  const run = new SqlRun(server([columns, rows(1), { kind: 'problem', problem }]), Date.now);
  expect(await run.run(asked)).toMatchObject({ phase: 'failed', rows: [[1]], problem });
});

test('an answer without an end is no result', async () => {
  const run = new SqlRun(server([columns, rows(1)]), Date.now);
  expect(await run.run(asked)).toMatchObject({ phase: 'failed', fault: { kind: 'broken' } });
});

test('a server that cannot be reached is told as such', async () => {
  const run = new SqlRun(server([], new TypeError('Failed to fetch')), Date.now);
  expect(await run.run(asked)).toMatchObject({ phase: 'failed', fault: { kind: 'offline' } });
});

test('stopping ends the request and keeps what came', async () => {
  const waiting = server([columns, rows(1)], 'wait');
  const run = new SqlRun(waiting, Date.now);
  const over = run.run(asked);
  await expect.poll(() => run.state.rows.length).toBe(1);
  run.stop();
  expect(run.state).toMatchObject({ phase: 'stopped', rows: [[1]] });
  expect(waiting.signals[0]?.aborted).toBe(true);
  await over;
  expect(run.state.phase).toBe('stopped');
});

test('a new statement stops the one before, whose late end changes nothing', async () => {
  const waiting = server([columns, rows(1)], 'wait');
  const run = new SqlRun(waiting, Date.now);
  const first = run.run(asked);
  await expect.poll(() => run.state.rows.length).toBe(1);
  const second = run.run({ ...asked, statement: 'SELECT b' });
  await first;
  expect(waiting.signals[0]?.aborted).toBe(true);
  expect(run.state).toMatchObject({ phase: 'running', asked: { statement: 'SELECT b' } });
  run.stop();
  await second;
});
