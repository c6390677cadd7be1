import type { TaskEvent, WorkerEvent } from '@meadow/celery';
import { createMask, encodeTaskEvents, maskingPolicy } from '@meadow/contract';
import { expect, test } from 'vitest';
import { customEvent, LONGEST_TEXT, shortened, taskEvent, workerLine } from './row.ts';

const context = { cluster: 'prod', mask: createMask(maskingPolicy.parse({})) };
const event: TaskEvent = {
  type: 'task-received',
  hostname: 'w@h',
  timestamp: 1795169474.1865022,
  uuid: 'u1',
  pid: 7,
  clock: 3,
};

test('a row holds what the event said under column names', () => {
  const { event_id, ...rest } = taskEvent(
    context,
    { ...event, name: 'a.b', retries: 0, eta: null, runtime: 0.5, expired: false, signum: 15 },
    { note: 1 },
    1795169475.5,
  );
  expect(event_id).toMatch(/^[0-9a-f]{16}$/);
  expect(rest).toMatchObject({
    ...{ type: 'task-received', timestamp: 1795169474.1865022, collected_at: 1795169475.5, worker: 'w@h' },
    ...{ pid: 7, clock: 3, task_id: 'u1', name: 'a.b', retries: 0, runtime: 0.5, expired: false, signum: '15' },
    extra: '{"note":1}',
  });
  expect(rest.eta).toBeUndefined();
});

test('secrets are masked in every text that may hold one, and in unknown fields', () => {
  const secret = `{'password': 'hunter2'}`;
  const texts = { args: secret, kwargs: secret, result: secret, exception: secret, traceback: secret };
  const row = taskEvent(context, { ...event, ...texts }, { note: { token: 'hunter2' } }, 1);
  expect(JSON.stringify(row)).not.toContain('hunter2');
});

test('a text of megabytes keeps its beginning and end, and says how much is gone', () => {
  const text = `${'a'.repeat(5_000_000)}ValueError: the end`;
  const short = shortened(text);
  expect(short.length).toBeLessThan(LONGEST_TEXT + 100);
  expect(short).toContain(`${text.length - LONGEST_TEXT} characters cut by Meadow`);
  expect(short.endsWith('ValueError: the end')).toBe(true);
  expect(taskEvent(context, { ...event, traceback: text }, null, 1).traceback).toBe(short);
});

test('a row of long texts fits a message of NATS, whatever their alphabet, and every text stays one', () => {
  const text = `${'x€'.repeat(2)}${'漢😀'.repeat(30_000)}`;
  const texts = { args: text, kwargs: text, result: text, exception: text, traceback: text, name: text };
  const row = taskEvent(context, { ...event, ...texts }, { text }, 1);
  expect(encodeTaskEvents([row]).length).toBeLessThan(500_000);
  expect(row.args).toMatch(/^x€x€(漢😀)+漢?\n… \d+ characters cut by Meadow …\n😀?(漢😀)+$/u);
});

test('an event of no task is told as it came, its own fields as extra', () => {
  const login = customEvent(context, { type: 'audit-login', hostname: 'gen1@h', timestamp: 1 }, { user: 'ann' }, 2);
  expect(login).toMatchObject({ type: 'audit-login', extra: '{"user":"ann"}' });
});

const beat: WorkerEvent = {
  type: 'worker-heartbeat',
  hostname: 'w@h',
  timestamp: 1,
  freq: 2,
  active: 0,
  loadavg: [0.1, 0.2, 0.3],
};
const read = (line: string): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>;

test("a worker's line holds what it said, and nothing for what it did not say", () => {
  const line = workerLine(context, beat, null, 2);
  expect(line.endsWith('}\n')).toBe(true);
  const { event_id, ...rest } = read(line);
  expect(event_id).toMatch(/^[0-9a-f]{16}$/);
  expect(rest).toEqual({
    ...{ cluster: 'prod', type: 'worker-heartbeat', timestamp: 1, collected_at: 2, worker: 'w@h' },
    ...{ freq: 2, active: 0, loadavg: [0.1, 0.2, 0.3] },
  });
});

test('what the store cannot hold is replaced or left out, and a clock of another age is clamped', () => {
  const odd = { ...beat, timestamp: 9e10, freq: Number.NaN, sw_ident: 'a\ud800b\0"\n😀', loadavg: [1, Infinity] };
  const line = read(workerLine(context, odd, { big: 2n ** 70n }, 2));
  expect(line).toMatchObject({ timestamp: 4_102_444_800, sw_ident: 'a\ufffdb\0"\n😀', loadavg: [1] });
  expect(line).toMatchObject({ extra: '{"big":"1180591620717411303424"}' });
  expect(line['freq']).toBeUndefined();
});
