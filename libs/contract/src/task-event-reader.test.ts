import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TaskEventFormatError, TaskEventReader, TEXT_COLUMN } from './task-event-reader.ts';
import { HEAD_COLUMNS } from './task-event-row.ts';
import { encodeTaskEvents, type TaskEventFields } from './task-event-writer.ts';

const TEXTS = ['task_id', 'args', 'kwargs', 'result', 'exception', 'traceback', 'eta', 'expires', 'signum'] as const;
const MORE_TEXTS = ['extra', 'end_reason', 'root_id', 'parent_id'] as const;

/** The event as the reader tells it; what is empty or null is left out. */
function eventAt(reader: TaskEventReader): TaskEventFields {
  const { type, worker, timestamp, name, queue, exchange, pid, clock, retries, runtime } = reader;
  const told = {
    ...{ name, queue, exchange, routing_key: reader.routingKey, pid, clock, retries, runtime },
    ...{ terminated: reader.terminated, expired: reader.expired, requeue: reader.requeue },
    ...Object.fromEntries([...TEXTS, ...MORE_TEXTS].map((key) => [key, reader.text(TEXT_COLUMN[key])])),
  };
  const present = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== null && value !== ''));
  return { event_id: reader.eventId, type, timestamp, collected_at: reader.collectedAt, worker, ...present };
}

function eventsOf(data: Uint8Array, reader = new TaskEventReader()): TaskEventFields[] {
  const events: TaskEventFields[] = [];
  reader.begin(data);
  while (reader.next()) events.push(eventAt(reader));
  return events;
}

const text = fc.oneof(
  fc.string({ minLength: 1, maxLength: 70 }).map((value) => value.toWellFormed()),
  fc
    .tuple(fc.constantFrom('a', 'é', '漢', '😀'), fc.constantFrom(15, 16, 17, 63, 64, 65, 127, 128, 16_384))
    .map(([unit, count]) => unit.repeat(count)),
  // events of a task repeat what they say, or nearly
  fc.constantFrom('(1, 2)', '(1, 3)', '(1, 4, 5)', '(1, 4, 6)'),
);
const anyEvent: fc.Arbitrary<TaskEventFields> = fc.record(
  {
    event_id: fc.stringMatching(/^[0-9a-f]{16}$/),
    // what a Decimal64(6) holds: a double whose microseconds come back
    timestamp: fc.nat({ max: 4e15 }).map((microseconds) => microseconds / 1e6),
    collected_at: fc.nat({ max: 4e15 }).map((microseconds) => microseconds / 1e6),
    ...{ type: text, worker: text, task_id: text, name: text, args: text, kwargs: text, eta: text, expires: text },
    ...{ root_id: text, parent_id: text, queue: text, exchange: text, routing_key: text, result: text },
    ...{ exception: text, traceback: text, signum: text, extra: text, end_reason: text },
    ...{ pid: fc.nat({ max: 0xffff_ffff }), retries: fc.nat({ max: 0xffff_ffff }), clock: fc.maxSafeNat() },
    runtime: fc.double({ noNaN: true, noDefaultInfinity: true }),
    ...{ terminated: fc.boolean(), expired: fc.boolean(), requeue: fc.boolean() },
  },
  { requiredKeys: ['event_id', 'timestamp', 'collected_at', 'type', 'worker'] },
);

test('what was read in memory that serves again is not what is read there later', () => {
  const reader = new TaskEventReader();
  const event = (args: string) => ({
    event_id: '0'.repeat(16),
    timestamp: 1,
    collected_at: 2,
    type: 't',
    worker: 'w',
    args,
  });
  const memory = encodeTaskEvents([event('(1, 2)')]);
  expect(eventsOf(memory, reader)).toEqual([event('(1, 2)')]);
  memory.set(encodeTaskEvents([event('(3, 4)')]));
  expect(eventsOf(memory, reader)).toEqual([event('(3, 4)')]);
});

test('every event is read as it was written, and one reader serves for many batches', () => {
  const reader = new TaskEventReader();
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 4 }), (events) => {
      expect(eventsOf(encodeTaskEvents(events), reader)).toEqual(events);
    }),
    { numRuns: 300 },
  );
});

test('the head is the bytes that are stored, up to where the tail begins', () => {
  const event = { event_id: 'a'.repeat(16), type: 'task-sent', timestamp: 1, collected_at: 2, worker: 'w', name: 'n' };
  const data = encodeTaskEvents([event]);
  const reader = new TaskEventReader();
  reader.begin(data);
  expect(reader.next()).toBe(true);
  expect([reader.headBegin, reader.headEnd]).toEqual([8, 8 + data.readUInt32LE(4)]);
  expect(data.subarray(reader.headEnd)).toEqual(Buffer.from('\x01n\0\0\0'));
  expect([reader.has(TEXT_COLUMN.task_id), reader.has(TEXT_COLUMN.name)]).toEqual([false, true]);
  expect(reader.next()).toBe(false);
});

test('a damaged frame is told with its bytes, and what follows is read', () => {
  const frame = (id: string): Buffer =>
    encodeTaskEvents([{ event_id: id.repeat(16), type: 'task-sent', timestamp: 1, collected_at: 2, worker: 'w' }]);
  const [first, damaged, last] = ['a', 'b', 'c'].map((id) => Buffer.from(frame(id))) as [Buffer, Buffer, Buffer];
  // the type claims to be longer than the head
  damaged[8 + 32] = 0x7f;
  const reader = new TaskEventReader();
  reader.begin(Buffer.concat([first, damaged, last]));
  expect(reader.next()).toBe(true);
  expect(() => reader.next()).toThrow(TaskEventFormatError);
  expect([reader.frameBegin, reader.frameEnd]).toEqual([first.length + 4, first.length + damaged.length]);
  expect(reader.next()).toBe(true);
  expect(reader.eventId).toBe('c'.repeat(16));
  expect(reader.next()).toBe(false);
});

test('whatever the bytes are, reading ends and stays within them', () => {
  const good = encodeTaskEvents(fc.sample(anyEvent, { numRuns: 20, seed: 7 }));
  const damaged = fc
    .tuple(
      fc.array(fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })), { maxLength: 8 }),
      fc.nat(good.length),
    )
    .map(([changes, length]) => {
      const bytes = Buffer.from(good);
      for (const [at, byte] of changes) bytes[at] = byte;
      return bytes.subarray(0, length);
    });
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 300 })), (bytes) => {
      const reader = new TaskEventReader();
      reader.begin(bytes);
      for (let frames = 0; ; frames++) {
        expect(frames).toBeLessThanOrEqual(bytes.length / 4 + 1);
        try {
          if (!reader.next()) break;
          expect(reader.headEnd - reader.headBegin).toBeGreaterThanOrEqual(HEAD_COLUMNS.length);
          eventAt(reader);
        } catch (error) {
          expect(error).toBeInstanceOf(TaskEventFormatError);
        }
        expect(reader.frameEnd).toBeLessThanOrEqual(bytes.length);
      }
    }),
    { numRuns: 500 },
  );
});
