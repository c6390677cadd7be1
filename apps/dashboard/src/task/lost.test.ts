import { expect, test } from 'vitest';
import { lostInWords } from './lost.ts';

const task = { worker: 'w@h', pid: 7, started_at: 1, end_reason: 'worker-lost' };

test('a lost task says who had it, what is known, and what may come', () => {
  const [who, what] = lostInWords(task);
  expect(who).toBe('Its worker w@h (process 7) has not been heard of since: it was killed, or is cut off.');
  expect(what).toContain('With acks_late');
  expect(lostInWords({ ...task, started_at: null })[1]).toContain('had not been started');
  expect(lostInWords({ ...task, end_reason: 'no-end' })[1]).toContain('result backend');
});

test('a reason of a newer release is shown as it is', () => {
  expect(lostInWords({ ...task, pid: null, end_reason: 'abducted' })[0]).toBe('Its worker w@h abducted.');
});
