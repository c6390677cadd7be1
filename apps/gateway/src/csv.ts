/** A cell; null is empty. `digits` are those of a number that may be longer than a double. */
export type Cell = string | number | { readonly digits: string } | null;

/** What a spreadsheet takes for the begin of a formula, or drops in front of one. */
const FORMULA = /^[=+\-@\t\r\n]/;
const SPECIAL = /[",\r\n]/;

/**
 * A line of RFC 4180, CRLF included. A text that a spreadsheet would run as a formula begins with an apostrophe instead:
 * whoever commands workers, and every worker, can write what another person opens.
 */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(written).join(',')}\r\n`;
}

function written(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return String(cell);
  if (typeof cell === 'object') return cell.digits;
  const text = FORMULA.test(cell) ? `'${cell}` : cell;
  return SPECIAL.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
