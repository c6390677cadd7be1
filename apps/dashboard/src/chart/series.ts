/** One part of a chart: of stacked bars or areas, or a line of its own. */
export interface ChartSeries {
  readonly label: string;
  /** Name of a colour of the design, e.g. `--ok-solid`. */
  readonly colour: string;
  /** Null: not known. A line ends there and begins anew; of bars there is none. */
  readonly values: readonly (number | null)[];
  /** Drawn as a dashed line over the others, and not stacked: what is compared with. */
  readonly dashed?: boolean;
}

/** A span in which what is shown may be too low. */
export interface ChartGap {
  readonly from: number;
  readonly to: number;
  readonly label: string;
}

/** A moment of which something was said. */
export interface ChartMark {
  /** Unix seconds. */
  readonly at: number;
  readonly label: string;
}

/** What is known last; null where nothing is. */
export function newest(values: readonly (number | null)[]): number | null {
  return values.findLast((value) => value !== null) ?? null;
}

/** Where a value stands between two that are not known: no line leads there. */
export function lonely(values: readonly (number | null | undefined)[]): number[] {
  const known = (index: number): boolean => (values[index] ?? null) !== null;
  return values.flatMap((_, index) => (known(index) && !known(index - 1) && !known(index + 1) ? [index] : []));
}

/** Sums from the bottom up: `stack([a, b])` = [a, a + b]. */
export function stack(series: readonly (readonly (number | null)[])[]): number[][] {
  const sums: number[][] = [];
  for (const values of series) {
    const below = sums.at(-1);
    sums.push(values.map((value, index) => (value ?? 0) + (below?.[index] ?? 0)));
  }
  return sums;
}

/** The gaps that touch a bucket. */
export function gapsAt(gaps: readonly ChartGap[], from: number, to: number): readonly ChartGap[] {
  return gaps.filter((gap) => gap.from < to && gap.to >= from);
}

/** The marks within a bucket. */
export function marksAt(marks: readonly ChartMark[], from: number, to: number): readonly ChartMark[] {
  return marks.filter(({ at }) => at >= from && at < to);
}
