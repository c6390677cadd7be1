/** A pattern that fits. */
export interface Fit {
  readonly everySeconds: number | null;
  readonly cron: string | null;
  readonly zone: string;
  /** 0 to 1. */
  readonly fit: number;
  readonly jitterSeconds: number;
  /** So long after it is expected a run may come. */
  readonly patienceSeconds: number;
  /** When runs are expected, oldest first: from included, to excluded. */
  expected(from: number, to: number): readonly number[];
}

/** The value that a share of them does not pass. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
