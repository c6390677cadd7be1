/** One stacked part of a chart. */
export interface ChartSeries {
  readonly label: string;
  /** Name of a colour of the design, e.g. `--ok-solid`. */
  readonly colour: string;
  readonly values: readonly number[];
}

/** A span in which what is shown may be too low. */
export interface ChartGap {
  readonly from: number;
  readonly to: number;
  readonly label: string;
}

/** Sums from the bottom up: `stack([a, b])` = [a, a + b]. */
export function stack(series: readonly (readonly number[])[]): number[][] {
  const sums: number[][] = [];
  for (const values of series) {
    const below = sums.at(-1);
    sums.push(values.map((value, index) => value + (below?.[index] ?? 0)));
  }
  return sums;
}

/** The gaps that touch a bucket. */
export function gapsAt(gaps: readonly ChartGap[], from: number, to: number): readonly ChartGap[] {
  return gaps.filter((gap) => gap.from < to && gap.to >= from);
}
