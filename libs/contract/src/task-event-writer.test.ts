import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HEAD_COLUMNS } from './task-event-row.ts';
import { encodeTaskEvents, TaskEventWriter, type TaskEventFields } from './task-event-writer.ts';

const minimal: TaskEventFields = {
  event_id: '0123456789abcdef',
  type: 'task-started',
  timestamp: 1795169474.186502,
  collected_at: 1795169475.5,
  worker: 'w@h',
};

type Row = Record<string, unknown>;

/** Reads frames as `HEAD_COLUMNS` says, slowly. */
function rowsOf(batch: Buffer): Row[] {
  const rows: Row[] = [];
  let at = 0;
  const text = (): string => {
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = batch.readUInt8(at++);
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    at += length;
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(batch.subarray(at - length, at));
  };
  const fixed = <Value>(size: number, value: Value): Value => {
    at += size;
    return value;
  };
  const read = (type: string): unknown => {
    const inner = /^Nullable\((.*)\)$/.exec(type)?.[1];
    if (inner !== undefined) return batch.readUInt8(at++) === 1 ? null : read(inner);
    if (type === 'String') return text();
    if (type === 'FixedString(16)') return fixed(16, batch.toString('latin1', at, at + 16));
    if (type === 'Decimal64(6)') return fixed(8, Number(batch.readBigInt64LE(at)) / 1e6);
    if (type === 'UInt32') return fixed(4, batch.readUInt32LE(at));
    if (type === 'UInt64') return fixed(8, Number(batch.readBigUInt64LE(at)));
    if (type === 'Float64') return fixed(8, batch.readDoubleLE(at));
    if (type === 'Bool') return fixed(1, batch.readUInt8(at) === 1);
    throw new Error(type);
  };
  while (at < batch.length) {
    const end = at + 4 + batch.readUInt32LE(at);
    const headEnd = at + 8 + batch.readUInt32LE(at + 4);
    at += 8;
    const row: Row = {};
    for (const [name, type] of HEAD_COLUMNS) row[name] = read(type);
    expect(at).toBe(headEnd);
    for (const name of ['name', 'queue', 'root_id', 'parent_id']) row[name] = text();
    expect(at).toBe(end);
    rows.push(row);
  }
  return rows;
}

const bare: Row = Object.fromEntries([
  ...HEAD_COLUMNS.map(([name, type]) => [name, type.startsWith('Nullable') ? null : '']),
  ...['name', 'queue', 'root_id', 'parent_id'].map((name) => [name, '']),
]) as Row;

test('what an event did not say is empty or null', () => {
  expect(rowsOf(encodeTaskEvents([minimal]))).toEqual([{ ...bare, ...minimal }]);
  expect(encodeTaskEvents([])).toHaveLength(0);
});

const text = fc.oneof(
  fc.string({ maxLength: 70 }),
  fc.string({ unit: 'binary', maxLength: 200 }),
  // around the lengths at which the way of writing or the size of the length changes
  fc
    .tuple(
      fc.constantFrom('a', 'é', '漢', '😀', '\0'),
      fc.constantFrom(1, 42, 43, 63, 64, 65, 127, 128, 129, 5461, 16_383, 16_384, 20_000),
    )
    .map(([unit, count]) => unit.repeat(count)),
);
const count32 = fc.nat({ max: 0xffff_ffff });
const anyEvent: fc.Arbitrary<TaskEventFields> = fc.record(
  {
    event_id: fc.stringMatching(/^[0-9a-f]{16}$/),
    timestamp: fc.nat({ max: 4e9 }).map((seconds) => seconds + 0.25),
    collected_at: fc.nat({ max: 4_102_444_799 }),
    ...{ type: text, worker: text, task_id: text, name: text, args: text, kwargs: text, eta: text, expires: text },
    ...{ root_id: text, parent_id: text, queue: text, exchange: text, routing_key: text, result: text },
    ...{ exception: text, traceback: text, signum: text, extra: text, end_reason: text },
    ...{ pid: count32, retries: count32, clock: fc.maxSafeNat() },
    runtime: fc.double({ noNaN: true, noDefaultInfinity: true }),
    ...{ terminated: fc.boolean(), expired: fc.boolean(), requeue: fc.boolean() },
  },
  { requiredKeys: ['event_id', 'timestamp', 'collected_at', 'type', 'worker'] },
);

test('every event reads back as it was written, whatever stands beside it', () => {
  const wellFormed = (event: TaskEventFields): Row =>
    Object.fromEntries(
      Object.entries(event).map(([key, value]) => [key, typeof value === 'string' ? value.toWellFormed() : value]),
    );
  const writer = new TaskEventWriter({ initialBytes: 16 });
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 5 }), (events) => {
      writer.reset();
      for (const event of events) expect(writer.append(event)).toBe(true);
      expect(writer.count).toBe(events.length);
      expect(writer.length).toBe(writer.bytes().length);
      expect(rowsOf(writer.bytes())).toEqual(events.map((event) => ({ ...bare, ...wellFormed(event) })));
    }),
    { numRuns: 200 },
  );
});

test('a text of a megabyte is written whole, and a lone surrogate becomes what UTF-8 has for it', () => {
  const traceback = `${'漢é😀a'.repeat(200_000)}\ud800`;
  const [row] = rowsOf(encodeTaskEvents([{ ...minimal, traceback, args: 'a\udfff' }]));
  expect(row).toMatchObject({ traceback: traceback.toWellFormed(), args: 'a\ufffd' });
});

test('a number that its column cannot hold is null, and a clock of another age is clamped', () => {
  const odd = [-1, 1.5, 2 ** 32, NaN, Infinity, 2 ** 60];
  const rows = rowsOf(encodeTaskEvents(odd.map((pid) => ({ ...minimal, pid, retries: pid }))));
  expect(rows.map(({ pid, retries }) => [pid, retries])).toEqual(odd.map(() => [null, null]));
  const clocks = rowsOf(encodeTaskEvents([2 ** 53, -1, 2 ** 53 - 1].map((clock) => ({ ...minimal, clock }))));
  expect(clocks.map((row) => row['clock'])).toEqual([null, null, 2 ** 53 - 1]);
  const times = rowsOf(encodeTaskEvents([-5, 9e10, 1.0000005].map((timestamp) => ({ ...minimal, timestamp }))));
  expect(times.map((row) => row['timestamp'])).toEqual([0, 4_102_444_800, 1.000001]);
  const [runtime] = rowsOf(encodeTaskEvents([{ ...minimal, runtime: NaN }]));
  expect(runtime?.['runtime']).toBeNull();
});

test('a row that does not fit is refused and leaves the batch as it was; alone it always fits', () => {
  const writer = new TaskEventWriter({ maxBytes: 1_000 });
  const large = { ...minimal, args: 'x'.repeat(900) };
  expect(writer.append(large)).toBe(true);
  const before = Buffer.from(writer.bytes());
  expect(writer.append(large)).toBe(false);
  expect(writer.bytes()).toEqual(before);
  expect(writer.count).toBe(1);
  writer.reset();
  expect(writer.append({ ...minimal, args: 'x'.repeat(5_000) })).toBe(true);
});
