import type { Snippet } from 'svelte';

/** A column of a table. */
export interface Column<Row> {
  readonly id: string;
  readonly label: string;
  /** Stands above the column instead of its label. */
  readonly head?: Snippet;
  /** Width as a grid track, e.g. `8rem` or `minmax(10rem, 2fr)`. */
  readonly track: string;
  /** 1 stays longest; 2 leaves below about 900 px, 3 below about 1150 px of table width. @default 1 */
  readonly priority?: 1 | 2 | 3;
  readonly align?: 'end';
  /** What rows are sorted by when the head is chosen; left out where they cannot be. */
  readonly sort?: string;
  readonly cell: Snippet<[Row]>;
}

/** What the rows of a table are sorted by: a column's `sort`. */
export interface Sort {
  readonly by: string;
  readonly desc: boolean;
}

/** The grid tracks of the columns that are left at a width class: 1 narrow, 2 middle, 3 wide. */
export function tracks<Row>(columns: readonly Column<Row>[], widthClass: 1 | 2 | 3): string {
  return columns
    .filter((column) => (column.priority ?? 1) <= widthClass)
    .map((column) => column.track)
    .join(' ');
}
