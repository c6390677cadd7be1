import { decodeStoredResult } from '@meadow/celery';
import { createMask, maskingPolicy } from '@meadow/contract';
import { expect, test } from 'vitest';
import { resultEvent } from './results.ts';

const mask = createMask(maskingPolicy.parse({}));
const eventOf = (meta: object, heardAt = 1_000) =>
  resultEvent('c', 'u1', decodeStoredResult(Buffer.from(JSON.stringify(meta))), heardAt, mask);

const DONE = { status: 'SUCCESS', date_done: '2026-11-21T08:00:00.25', result: null };

test('secrets are hidden wherever a result may hold one', () => {
  const secret = { password: 'hunter2' };
  const events = [
    eventOf({ ...DONE, result: [secret], args: [secret], kwargs: secret }),
    eventOf({
      ...DONE,
      status: 'FAILURE',
      result: { exc_type: 'E', exc_message: [secret] },
      traceback: 'token=hunter2',
    }),
    eventOf({ status: 'PROGRESS', result: { ...secret, url: 'amqp://u:hunter2@h' } }),
  ];
  expect(JSON.stringify(events)).not.toContain('hunter2');
  expect(events[0]?.result).toBe("[{'password':'***'}]");
});

test('an end has one id whoever hears it whenever; what is on the way has one a second', () => {
  expect(eventOf(DONE, 1_000).event_id).toBe(eventOf(DONE, 2_000).event_id);
  expect(eventOf(DONE)).toMatchObject({
    type: 'meadow-result-SUCCESS',
    timestamp: Date.UTC(2026, 10, 21, 8) / 1000 + 0.25,
  });
  const progress = { status: 'PROGRESS', result: { n: 1 } };
  const { event_id } = eventOf(progress, 1_000.1);
  expect(eventOf(progress, 1_000.9).event_id).toBe(event_id);
  expect(eventOf(progress, 1_001.1).event_id).not.toBe(event_id);
  expect(eventOf({ ...progress, result: { n: 2 } }, 1_000.1).event_id).not.toBe(event_id);
});

test('a result is whole up to the bound, and past it says what is gone', () => {
  const text = 'é'.repeat(100_000);
  expect(eventOf({ ...DONE, result: text }).result).toBe(`'${text}'`);
  const cut = eventOf({ ...DONE, result: 'é'.repeat(200_000) }).result ?? '';
  expect(Buffer.byteLength(cut)).toBeLessThan(262_144 + 100);
  expect(cut).toMatch(/^'é+\n… 137858 bytes cut by Meadow …$/);
});
