import type { TaskEvent, WorkerEvent } from '@meadow/celery';
import { maskingPolicy } from '@meadow/contract';
import { expect, test } from 'vitest';
import { customLine, LONGEST_TEXT, shortened, taskLine, workerLine } from './line.ts';
import { createMask } from './mask.ts';

const context = { cluster: 'prod', mask: createMask(maskingPolicy.parse({})) };
const event: TaskEvent = {
  type: 'task-received',
  hostname: 'w@h',
  timestamp: 1795169474.1865022,
  uuid: 'u1',
  pid: 7,
  clock: 3,
};
const read = (line: string): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>;

test('a line holds what the event said under column names, and nothing for what it did not say', () => {
  const line = taskLine(
    context,
    { ...event, name: 'a.b', retries: 0, eta: null, runtime: 0.5, expired: false },
    null,
    1795169475.5,
  );
  expect(line.endsWith('}\n')).toBe(true);
  const { event_id, ...rest } = read(line);
  expect(event_id).toMatch(/^[0-9a-f]{16}$/);
  expect(rest).toEqual({
    ...{
      cluster: 'prod',
      type: 'task-received',
      timestamp: 1795169474.186502,
      collected_at: 1795169475.5,
      worker: 'w@h',
    },
    ...{ pid: 7, clock: 3, task_id: 'u1', name: 'a.b', retries: 0, runtime: 0.5, expired: false },
  });
});

test('secrets are masked in every text that may hold one, and in unknown fields', () => {
  const secret = `{'password': 'hunter2'}`;
  const texts = { args: secret, kwargs: secret, result: secret, exception: secret, traceback: secret };
  const line = taskLine(context, { ...event, ...texts }, { note: { token: 'hunter2' } }, 1);
  expect(line).not.toContain('hunter2');
});

test('a lone surrogate, which UTF-8 cannot hold, is replaced; other odd characters stay', () => {
  const { args } = read(taskLine(context, { ...event, args: `a\ud800b\u0000"\\\n😀` }, null, 1));
  expect(args).toBe('a\ufffdb\u0000"\\\n😀');
});

test('numbers that the store cannot hold are left out, and a clock of another age is clamped', () => {
  const odd = { ...event, timestamp: 9e10, clock: 2 ** 60, runtime: Number.NaN, retries: 1.5 };
  const line = read(taskLine(context, odd, { big: 2n ** 70n } as never, 1));
  expect(line).toMatchObject({ timestamp: 4_102_444_800, extra: '{"big":"1180591620717411303424"}' });
  expect(Object.keys(line)).not.toEqual(expect.arrayContaining(['clock']));
  expect(line['runtime']).toBeUndefined();
  expect(line['retries']).toBeUndefined();
});

test('a text of megabytes keeps its beginning and end, and says how much is gone', () => {
  const text = `${'a'.repeat(5_000_000)}ValueError: the end`;
  const short = shortened(text);
  expect(short.length).toBeLessThan(LONGEST_TEXT + 100);
  expect(short).toContain(`${text.length - LONGEST_TEXT} characters cut by Meadow`);
  expect(short.endsWith('ValueError: the end')).toBe(true);
});

test('worker and custom events have lines of their own', () => {
  const beat: WorkerEvent = {
    type: 'worker-heartbeat',
    hostname: 'w@h',
    timestamp: 1,
    freq: 2,
    active: 0,
    loadavg: [0.1, 0.2, 0.3],
  };
  expect(read(workerLine(context, beat, null, 2))).toMatchObject({ freq: 2, active: 0, loadavg: [0.1, 0.2, 0.3] });
  const login = customLine(context, { type: 'audit-login', hostname: 'gen1@h', timestamp: 1 }, { user: 'ann' }, 2);
  expect(read(login)).toMatchObject({ type: 'audit-login', extra: '{"user":"ann"}' });
});
