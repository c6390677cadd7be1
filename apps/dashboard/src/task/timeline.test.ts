import { expect, test } from 'vitest';
import { sampleAttempt, sampleTask } from './sample-task.ts';
import { extentOf, lanesOf, placeOf } from './timeline.ts';

const spans = (lanes: ReturnType<typeof lanesOf>) =>
  lanes.map((lane) => lane.stretches.map((each) => `${each.kind} ${each.from}-${each.to}${each.open ? '+' : ''}`));

test('sent, received, started and ended make three stretches', () => {
  const task = sampleTask({
    sent_at: 10,
    finished_at: 20,
    attempt_log: [sampleAttempt({ received_at: 12, started_at: 15, ended_at: 20 })],
  });
  expect(spans(lanesOf(task, 99))).toEqual([['queue 10-12', 'worker 12-15', 'run 15-20']]);
});

test('a retry waits between its attempts', () => {
  const task = sampleTask({
    sent_at: null,
    finished_at: 40,
    attempt_log: [
      sampleAttempt({ received_at: 1, started_at: 2, ended_at: 3, state: 'RETRY' }),
      sampleAttempt({ number: 2, received_at: 30, started_at: 31, ended_at: 40 }),
    ],
  });
  expect(spans(lanesOf(task, 99))).toEqual([
    ['worker 1-2', 'run 2-3'],
    ['backoff 3-30', 'worker 30-31', 'run 31-40'],
  ]);
});

test('what still goes on ends now', () => {
  const task = sampleTask({
    state: 'STARTED',
    sent_at: 10,
    finished_at: null,
    attempt_log: [sampleAttempt({ received_at: 11, started_at: 12, state: 'STARTED' })],
  });
  expect(spans(lanesOf(task, 50))).toEqual([['queue 10-11', 'worker 11-12', 'run 12-50+']]);
});

test('skewed clocks leave a stretch out rather than turn it round', () => {
  const task = sampleTask({
    sent_at: 10,
    finished_at: 12,
    attempt_log: [sampleAttempt({ received_at: 9, started_at: 11, ended_at: 12 })],
  });
  expect(spans(lanesOf(task, 50))).toEqual([['worker 9-11', 'run 11-12']]);
});

test('the extent covers every lane and places moments in it', () => {
  const task = sampleTask({
    sent_at: 10,
    finished_at: 20,
    attempt_log: [sampleAttempt({ received_at: 12, started_at: 15, ended_at: 20 })],
  });
  const extent = extentOf(lanesOf(task, 99));
  expect(extent).toEqual({ from: 10, to: 20 });
  expect(extent === null ? null : placeOf(15, extent)).toBe(50);
  expect(extentOf([])).toBeNull();
});

test('a task without logged attempts is drawn from its own times', () => {
  const times = { sent_at: 1, received_at: 2, started_at: 3, finished_at: 9 };
  expect(spans(lanesOf(sampleTask(times), 50))).toEqual([['queue 1-2', 'worker 2-3', 'run 3-9']]);
  const waiting = { state: 'PENDING', sent_at: 1, received_at: null, started_at: null, finished_at: null };
  expect(spans(lanesOf(sampleTask(waiting), 50))).toEqual([['queue 1-50+']]);
});
