import type { SqlColumn } from '@meadow/api';
import { kindOf, textOf } from './cell.ts';
import type { Row } from './chart-choice.ts';

const LEAST = 6;
const MOST = 42;
/** Rows that are looked at for the width of a column, from all over the result. */
const LOOKED_AT = 400;

/** Widths of columns in characters, by what stands in the rows and in the head. */
export function widthsOf(columns: readonly SqlColumn[], rows: readonly Row[]): readonly number[] {
  const every = Math.ceil(rows.length / LOOKED_AT);
  const looked = rows.filter((_, index) => index % every === 0 || index === rows.length - 1);
  return columns.map(({ name, type }, at) => {
    const kind = kindOf(type);
    const longest = looked.reduce((most, row) => Math.max(most, textOf(row[at] ?? null, kind).length), name.length);
    return Math.min(MOST, Math.max(LEAST, longest));
  });
}

/** The rows that are drawn: those in view, and some above and below. */
export function rowsInView(
  place: { readonly top: number; readonly height: number; readonly rowHeight: number },
  count: number,
): { readonly from: number; readonly to: number } {
  const spare = 8;
  const from = Math.max(0, Math.floor(place.top / place.rowHeight) - spare);
  const to = Math.min(count, Math.ceil((place.top + place.height) / place.rowHeight) + spare);
  return { from: Math.min(from, to), to };
}

/** Rows as spreadsheets take them from the clipboard: cells parted by tabs, NULL as nothing. */
export function asTsv(columns: readonly SqlColumn[], rows: readonly Row[]): string {
  const kinds = columns.map(({ type }) => kindOf(type));
  return rows
    .map((row) =>
      row
        .map((value, at) => (value === null ? '' : textOf(value, kinds[at] ?? 'text').replace(/[\t\r\n]+/g, ' ')))
        .join('\t'),
    )
    .join('\n');
}

/** A row as an object by the names of its columns, laid out. */
export function asJson(columns: readonly SqlColumn[], row: Row): string {
  return JSON.stringify(Object.fromEntries(columns.map(({ name }, at) => [name, row[at] ?? null])), null, 2);
}
