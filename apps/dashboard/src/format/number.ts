const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });

/** A count: digits grouped below 100,000, then `1.2M`; `–` when not known. */
export function formatCount(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return '–';
  return Math.abs(value) < 100_000 ? whole.format(value) : compact.format(value);
}

/** Every digit: for tooltips. */
export function formatExact(value: number): string {
  return whole.format(value);
}

/** A rate: as many digits as say something. */
export function formatRate(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return '–';
  if (value === 0 || Math.abs(value) >= 100) return formatCount(Math.round(value));
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** A share of 1 as per cent; small but present shares never read as nothing. */
export function formatShare(share: number | null): string {
  if (share === null || !Number.isFinite(share)) return '–';
  const percent = share * 100;
  if (percent === 0) return '0%';
  if (percent < 0.01) return '<0.01%';
  return `${percent < 1 ? percent.toFixed(2) : percent < 99.95 ? percent.toFixed(1) : percent.toFixed(0)}%`;
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const;

/** Bytes in powers of 1000. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit] ?? 'B'}`;
}

/** How a number moved against the period before. */
export interface Delta {
  readonly direction: 'up' | 'down' | 'same';
  /** `12%`, `×4.2`, `new`; '' when there is nothing to compare with. */
  readonly text: string;
}

/** Compares with the period before; changes below half a per cent count as none. */
export function delta(now: number | null, before: number | null): Delta | null {
  if (now === null || before === null) return null;
  if (before === 0) return now === 0 ? null : { direction: 'up', text: 'new' };
  const ratio = now / before;
  if (Math.abs(ratio - 1) < 0.005) return { direction: 'same', text: '0%' };
  const text = ratio >= 3 ? `×${ratio.toFixed(1)}` : `${Math.round(Math.abs(ratio - 1) * 100)}%`;
  return { direction: ratio > 1 ? 'up' : 'down', text };
}
