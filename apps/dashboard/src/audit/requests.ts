import type { AuditListRow } from '@meadow/contract';

/** One request: what was commanded, and what came of it as far as the records at hand tell. */
export interface RequestLine {
  readonly key: string;
  /** Unix seconds at which it was begun, or refused. */
  readonly at: number;
  /** Its end, or its begin while that is all there is. */
  readonly record: AuditListRow;
}

/** Records as requests, newest first. A begin whose end is among them is told by that. */
export function requestsOf(records: Iterable<AuditListRow>): readonly RequestLine[] {
  const lines = new Map<string, RequestLine>();
  for (const record of records) {
    const key = `${record.cluster}/${record.request_id}`;
    const other = lines.get(key);
    lines.set(key, other === undefined ? { key, at: beginOf(record), record } : joined(other, record));
  }
  return [...lines.values()].sort((a, b) => b.at - a.at || (a.key < b.key ? 1 : -1));
}

function joined(line: RequestLine, record: AuditListRow): RequestLine {
  const begun = [line.record, record].find(({ outcome }) => outcome === 'begun');
  const at = begun?.at ?? Math.min(line.at, beginOf(record));
  return { key: line.key, at, record: saysMore(record, line.record) ? record : line.record };
}

/** By another's clock an end may lie before its begin. */
function saysMore(a: AuditListRow, b: AuditListRow): boolean {
  const [endA, endB] = [a.outcome !== 'begun', b.outcome !== 'begun'];
  return endA === endB ? a.at > b.at : endA;
}

const beginOf = ({ at, duration_seconds: took }: AuditListRow): number => at - (took ?? 0);
