import { HEAD_COLUMNS, TAIL_COLUMNS } from '@meadow/contract';
import { TASK_COLUMNS, type Rows } from '@meadow/store';

export type Row = Readonly<Record<string, unknown>>;

/** Rows of `task_events`, read column by column. */
export const eventRowsOf = (rows: Rows): Row[] => rowsOf(rows, [...HEAD_COLUMNS, ...TAIL_COLUMNS]);

/** Rows of `tasks`. */
export const taskRowsOf = (rows: Rows): Row[] => rowsOf(rows, TASK_COLUMNS);

function rowsOf(rows: Rows, columns: readonly (readonly [string, string])[]): Row[] {
  return Array.from({ length: rows.count }, (_, index) => {
    const bytes = Buffer.concat(rows.slice(index, index + 1));
    let at = 0;
    const number = (): number => {
      let value = 0;
      for (let factor = 1; ; factor *= 128) {
        const byte = bytes.readUInt8(at++);
        value += (byte & 0x7f) * factor;
        if (byte < 0x80) return value;
      }
    };
    const passed = <Value>(size: number, value: Value): Value => {
      at += size;
      return value;
    };
    const read = (type: string): unknown => {
      const inner = /^(Nullable|Array)\((.*)\)$/.exec(type);
      if (inner?.[1] === 'Nullable') return bytes.readUInt8(at++) === 1 ? null : read(inner[2] ?? '');
      if (inner?.[1] === 'Array') return Array.from({ length: number() }, () => read(inner[2] ?? ''));
      if (type === 'String') {
        const length = number();
        return passed(length, bytes.toString('utf8', at, at + length));
      }
      if (type === 'FixedString(16)') return passed(16, bytes.toString('latin1', at, at + 16));
      if (type === 'Decimal64(6)') return passed(8, Number(bytes.readBigInt64LE(at)) / 1e6);
      if (type === 'UInt32') return passed(4, bytes.readUInt32LE(at));
      if (type === 'UInt64') return passed(8, Number(bytes.readBigUInt64LE(at)));
      if (type === 'Float64') return passed(8, bytes.readDoubleLE(at));
      if (type === 'Bool') return passed(1, bytes.readUInt8(at) === 1);
      throw new Error(`a column of type ${type}`);
    };
    const row = Object.fromEntries(columns.map(([name, type]) => [name, read(type)]));
    if (at !== bytes.length) throw new Error(`a row of ${bytes.length} bytes ends at ${at}`);
    return row;
  });
}
