import type { SqlColumn, SqlValue } from '@meadow/api';
import { kindOf, numberOf, textOf, type Kind } from './cell.ts';

export type Row = readonly SqlValue[];

export const CHART_KINDS = ['line', 'area', 'bar', 'scatter'] as const;
export type ChartKind = (typeof CHART_KINDS)[number];

/** What is drawn of a result; columns by name. */
export interface ChartChoice {
  readonly kind: ChartKind;
  readonly x: string;
  readonly y: readonly string[];
  /** Each of its values becomes a series of its own; null for one series a column. */
  readonly by: string | null;
}

/** Colours of series, told apart in both themes; as many series are drawn. */
export const SERIES_COLOURS = [
  '--run-solid',
  '--warn-solid',
  '--ok-solid',
  '--off-solid',
  '--bad-solid',
  '--custom-solid',
  '--accent',
  '--idle-solid',
] as const;

/** More bars than this nobody tells apart. */
const MOST_CATEGORIES = 100;

/** What each column can be in a chart. */
export interface ChartColumns {
  readonly x: readonly string[];
  readonly y: readonly string[];
  readonly by: readonly string[];
}

/** Numbers can be drawn; anything but composites can be what they are drawn over, texts can part them. */
export function chartColumns(columns: readonly SqlColumn[]): ChartColumns {
  const of = (...kinds: readonly Kind[]): string[] =>
    columns.filter(({ type }) => kinds.includes(kindOf(type))).map(({ name }) => name);
  return { x: of('time', 'text', 'number'), y: of('number'), by: of('text') };
}

/**
 * The chart that fits a result by its types: numbers over the first time, else a bar for each text, else the second
 * number over the first. Where one time stands in many rows a text parts them. Null when nothing can be drawn.
 */
export function chooseChart(columns: readonly SqlColumn[], rows: readonly Row[]): ChartChoice | null {
  const { y: numbers, by: texts } = chartColumns(columns);
  const time = columns.find(({ type }) => kindOf(type) === 'time');
  if (numbers.length === 0 || rows.length === 0) return null;
  const most = SERIES_COLOURS.length;
  if (time !== undefined) {
    const at = columns.indexOf(time);
    const repeated = new Set(rows.map((row) => row[at])).size < rows.length;
    const by = repeated ? (texts[0] ?? null) : null;
    return { kind: 'line', x: time.name, y: by === null ? numbers.slice(0, most) : numbers.slice(0, 1), by };
  }
  const [text] = texts;
  if (text !== undefined) return { kind: 'bar', x: text, y: numbers.slice(0, 3), by: null };
  const [x, y] = numbers;
  return x === undefined || y === undefined ? null : { kind: 'scatter', x, y: [y], by: null };
}

/** The choice as far as the columns have it, else what fits: a chart survives a change of the statement. */
export function fitting(
  choice: ChartChoice | null,
  columns: readonly SqlColumn[],
  rows: readonly Row[],
): ChartChoice | null {
  const can = chartColumns(columns);
  const y = choice?.y.filter((name) => can.y.includes(name)) ?? [];
  if (choice === null || y.length === 0 || !can.x.includes(choice.x)) return chooseChart(columns, rows);
  return { ...choice, y, by: choice.by !== null && can.by.includes(choice.by) ? choice.by : null };
}

/** What is drawn: one x for each place, and of every series its value there: null for NULL, undefined where no row is. */
export interface Drawing {
  /** `category`: x are the places of `labels`. */
  readonly scale: 'time' | 'number' | 'category';
  readonly x: readonly number[];
  readonly labels: readonly string[];
  readonly series: readonly { readonly label: string; readonly values: readonly (number | null | undefined)[] }[];
  /** What was left out because nobody could tell it apart. */
  readonly leftOut: { readonly series: number; readonly places: number };
}

/** Turns rows into what is drawn. Rows without an x are left out; of several for one place the last counts. */
export function draw(choice: ChartChoice, columns: readonly SqlColumn[], rows: readonly Row[]): Drawing {
  const reader = new Columns(columns);
  const x = reader.of(choice.x);
  const by = choice.by === null ? null : reader.of(choice.by);
  const y = choice.y.map((name) => reader.of(name));
  const scale =
    choice.kind === 'bar' && x.kind !== 'time' ? 'category' : x.kind === 'text' ? 'category' : axisOf(x.kind);

  const places: number[] = [];
  const labels: string[] = [];
  const placeOf = new Map<string | number, number>();
  const series = new Map<string, (number | null)[]>();
  let leftOutPlaces = 0;
  for (const row of rows) {
    const key = scale === 'category' ? x.text(row) : x.number(row);
    if (key === null) continue;
    // points of a cloud may lie above each other
    let place = choice.kind === 'scatter' && scale !== 'category' ? undefined : placeOf.get(key);
    if (place === undefined) {
      if (scale === 'category' && labels.length >= MOST_CATEGORIES) {
        leftOutPlaces += 1;
        continue;
      }
      place = places.length;
      placeOf.set(key, place);
      places.push(typeof key === 'number' ? key : place);
      if (typeof key === 'string') labels.push(key);
    }
    for (const column of y) {
      const label = by === null ? column.name : y.length > 1 ? `${by.text(row)} · ${column.name}` : by.text(row);
      const values = series.get(label) ?? [];
      values[place] = column.number(row);
      series.set(label, values);
    }
  }

  const order = places.map((_, place) => place);
  if (scale !== 'category') order.sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0));
  const drawn = [...series].slice(0, SERIES_COLOURS.length);
  return {
    scale,
    x: order.map((place) => places[place] ?? 0),
    labels,
    series: drawn.map(([label, values]) => ({ label, values: order.map((place) => values[place]) })),
    leftOut: { series: series.size - drawn.length, places: leftOutPlaces },
  };
}

function axisOf(kind: Kind): 'time' | 'number' {
  return kind === 'time' ? 'time' : 'number';
}

/** A column that can be read of any row. */
interface ColumnReader {
  readonly name: string;
  readonly kind: Kind;
  text(row: Row): string;
  number(row: Row): number | null;
}

class Columns {
  readonly #columns: readonly SqlColumn[];

  constructor(columns: readonly SqlColumn[]) {
    this.#columns = columns;
  }

  of(name: string): ColumnReader {
    const at = this.#columns.findIndex((column) => column.name === name);
    const kind = kindOf(this.#columns[at]?.type ?? '');
    const value = (row: Row): SqlValue => row[at] ?? null;
    return {
      name,
      kind,
      text: (row) => (value(row) === '' ? '(empty)' : textOf(value(row), kind)),
      number: (row) => numberOf(value(row), kind),
    };
  }
}
