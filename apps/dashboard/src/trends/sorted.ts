import type { Sort } from '../design/column.ts';

/** Rows in the order that is asked for; what is not known comes last, either way. */
export function sorted<Row>(
  rows: readonly Row[],
  { by, desc }: Sort,
  figures: Readonly<Record<string, (row: Row) => number | string | null>>,
): readonly Row[] {
  const figure = figures[by];
  if (figure === undefined) return rows;
  return rows.toSorted((one, other) => {
    const [a, b] = [figure(one), figure(other)];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    const order = typeof a === 'string' || typeof b === 'string' ? String(a).localeCompare(String(b)) : a - b;
    return desc ? -order : order;
  });
}
