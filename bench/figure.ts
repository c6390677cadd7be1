/** One measured value beside what it has to be. */
export interface Figure {
  readonly value: number;
  /** As it reads in the design: `<= 12`, `>= 50000`. */
  readonly budget: string;
  readonly met: boolean;
}

export function atMost(value: number, most: number): Figure {
  return { value, budget: `<= ${most}`, met: value <= most };
}

export function atLeast(value: number, least: number): Figure {
  return { value, budget: `>= ${least}`, met: value >= least };
}

/** Exactly 0: more stored than sent is as wrong as less. */
export function none(value: number): Figure {
  return { value, budget: '0', met: value === 0 };
}

/** Prints the one line of a bench: its facts, then each figure with its budget, then whether all are met. */
export function print(bench: string, facts: object, figures: Readonly<Record<string, Figure>>): void {
  const met = Object.values(figures).every((figure) => figure.met);
  process.stdout.write(`${JSON.stringify({ bench, at: new Date().toISOString(), ...facts, figures, met })}\n`);
}

export const round = (value: number, digits = 2): number => Math.round(value * 10 ** digits) / 10 ** digits;

/** The value below which this share of them lies; null of none. */
export function percentile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;
}

export function mapValues<K extends string, V, R>(
  record: Readonly<Record<K, V>>,
  map: (value: V, key: K) => R,
): Record<K, R> {
  const entries = Object.entries(record).map(([key, value]) => [key, map(value as V, key as K)]);
  return Object.fromEntries(entries) as Record<K, R>;
}
