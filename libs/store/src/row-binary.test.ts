import { expect, test } from 'vitest';
import { RowBinary } from './row-binary.ts';

const bytesOf = (rows: RowBinary, from?: number, to?: number): Buffer => Buffer.concat(rows.slice(from, to));

function leb128(length: number): Buffer {
  const bytes: number[] = [];
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

const encoded = (text: string): Buffer => Buffer.concat([leb128(Buffer.byteLength(text)), Buffer.from(text)]);

test('columns are encoded as ClickHouse reads them', () => {
  const rows = new RowBinary();
  rows.row();
  rows.text('aé');
  rows.uint32(0xffff_fffe);
  rows.uint64(2 ** 53 - 1);
  rows.bool(true);
  rows.time(1.5);
  rows.texts(['x', '']);
  rows.nullableUint32(null);
  rows.nullableUint32(7);
  rows.nullableFloat64(-0.5);
  rows.nullableTime(null);
  const numbers = Buffer.alloc(20);
  numbers.writeUInt32LE(0xffff_fffe, 0);
  numbers.writeBigUInt64LE(2n ** 53n - 1n, 4);
  const half = Buffer.alloc(8);
  half.writeDoubleLE(-0.5);
  const time = Buffer.alloc(8);
  time.writeBigInt64LE(1_500_000n);
  const texts = Buffer.from([2, 1, 0x78, 0]);
  const wanted = [Buffer.from([3, 0x61, 0xc3, 0xa9]), numbers.subarray(0, 12), Buffer.from([1]), time, texts];
  const nullables = [Buffer.from([1, 0, 7, 0, 0, 0, 0]), half, Buffer.from([1])];
  expect(bytesOf(rows)).toEqual(Buffer.concat([...wanted, ...nullables]));
});

test('rows of any length are whole, each by itself and together, and the memory serves again', () => {
  const rows = new RowBinary();
  const lengths = [0, 1, 64, 65, 127, 128, 20_000, 300_000, 3, 700_000, 5, 200_000, 200_000, 400_000];
  for (const unit of ['a', 'é', '漢']) {
    rows.reset();
    const texts = lengths.map((length, index) => String(index) + unit.repeat(length));
    for (const text of texts) {
      rows.row();
      rows.text(text);
      rows.copy(Buffer.from(`-${text}`), 0, 1);
    }
    const wanted = texts.map((text) => Buffer.concat([encoded(text), Buffer.from('-')]));
    expect(rows.count).toBe(texts.length);
    for (const [index, row] of wanted.entries()) expect(bytesOf(rows, index, index + 1).equals(row)).toBe(true);
    expect(bytesOf(rows, 3, 11).equals(Buffer.concat(wanted.slice(3, 11)))).toBe(true);
    expect(bytesOf(rows).equals(Buffer.concat(wanted))).toBe(true);
  }
  rows.reset();
  expect([rows.count, bytesOf(rows).length]).toEqual([0, 0]);
});
