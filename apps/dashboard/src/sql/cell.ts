import type { SqlValue } from '@meadow/api';

/** How values of a column are shown, drawn and compared. */
export type Kind = 'number' | 'time' | 'text' | 'composite';

const WRAPPED = /^(?:Nullable|LowCardinality)\((.*)\)$|^SimpleAggregateFunction\(\w+(?:\([^)]*\))?, (.*)\)$/;

/** The kind of a ClickHouse type, e.g. `Nullable(DateTime64(6, 'UTC'))` is a time. */
export function kindOf(type: string): Kind {
  const inner = WRAPPED.exec(type);
  if (inner !== null) return kindOf(inner[1] ?? inner[2] ?? '');
  if (/^(?:U?Int\d+|B?Float\d+|Decimal)/.test(type)) return 'number';
  if (/^Date/.test(type)) return 'time';
  if (/^(?:Array|Map|Tuple|Nested|JSON|Object|Variant|Dynamic|Point|Ring|Polygon)/.test(type)) return 'composite';
  return 'text';
}

/** The text of a value, as it stands in a cell; NULL has none of its own and must be told apart by its look. */
export function textOf(value: SqlValue, kind: Kind): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string') return kind === 'time' ? value.replace(/\.(\d*?)0+$/, trimmed) : value;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function trimmed(_fraction: string, digits: string): string {
  return digits === '' ? '' : `.${digits}`;
}

/** A value laid out over several lines, for the place where it is read whole. JSON in a text is laid out too. */
export function laidOut(value: SqlValue, kind: Kind): string {
  if (typeof value === 'object' && value !== null) return JSON.stringify(value, null, 2);
  const text = textOf(value, kind);
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // it only looks like JSON
    return text;
  }
}

/** The number to draw: of a time its Unix seconds, read as UTC whatever its zone, so that axis and table agree. */
export function numberOf(value: SqlValue, kind: Kind): number | null {
  if (value === null || value === '' || (kind !== 'number' && kind !== 'time')) return null;
  const number =
    kind === 'time' ? Date.parse(`${String(value).replace(' ', 'T')}${zoneOf(value)}`) / 1000 : Number(value);
  return Number.isFinite(number) ? number : null;
}

/** A date alone is read as UTC already. */
function zoneOf(value: SqlValue): string {
  return String(value).includes(' ') ? 'Z' : '';
}
