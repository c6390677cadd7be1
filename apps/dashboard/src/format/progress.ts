/** How far a task says it is. */
export interface Progress {
  /** 0 to 1; null when it names no total. */
  readonly share: number | null;
  readonly current: number | null;
  readonly total: number | null;
  readonly message: string;
}

/**
 * Reads the newest custom event's fields: `current` and `total`, or `percent` (0 to 100), and `message`. Null for
 * anything that says nothing of progress.
 */
export function readProgress(json: string): Progress | null {
  const fields = parse(json);
  if (fields === null) return null;
  const current = numberOf(fields['current']);
  const total = numberOf(fields['total']);
  const percent = numberOf(fields['percent']);
  const { message: said } = fields;
  const message = typeof said === 'string' ? said : '';
  const share =
    current !== null && total !== null && total > 0 ? current / total : percent === null ? null : percent / 100;
  if (share === null && message === '') return null;
  return { share: share === null ? null : Math.min(1, Math.max(0, share)), current, total, message };
}

function parse(json: string): Readonly<Record<string, unknown>> | null {
  if (json === '') return null;
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
