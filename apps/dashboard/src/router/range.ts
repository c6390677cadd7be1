import type { RangeName } from '@meadow/api';

/** The spans of time that the range picker offers. The API's own list is code of the server side. */
export const RANGES = ['15m', '1h', '6h', '24h', '7d', '30d'] as const satisfies readonly RangeName[];
export const DEFAULT_RANGE: RangeName = '1h';

const LABELS: Readonly<Record<RangeName, string>> = {
  '15m': 'Last 15 minutes',
  '1h': 'Last hour',
  '6h': 'Last 6 hours',
  '24h': 'Last 24 hours',
  '7d': 'Last 7 days',
  '30d': 'Last 30 days',
};

export function rangeLabel(range: RangeName): string {
  return LABELS[range];
}

/** The range that a query names; the default for anything else. */
export function readRange(query: URLSearchParams): RangeName {
  const named = query.get('range');
  return RANGES.find((range) => range === named) ?? DEFAULT_RANGE;
}
