import type { ErrorChange, ErrorDetail } from '@meadow/api';
import type { TaskScope } from '../api/search-api.ts';
import type { ChartMark } from '../chart/series.ts';
import { statusLook, STATUSES } from './error-looks.ts';

/** Tasks may have been seen so long before they failed: longer than any is kept. */
const SEEN_BEFORE_SECONDS = 90 * 86_400;

/** All tasks that stand at a failure of a group. @param now Unix seconds */
export function groupTasks(
  { cluster, fingerprint, first_seen_at: first }: Pick<ErrorDetail, 'cluster' | 'fingerprint' | 'first_seen_at'>,
  now: number,
): TaskScope {
  return {
    filter: { cluster, query: `error:${fingerprint}` },
    span: { from: Math.max(0, Math.floor(first) - SEEN_BEFORE_SECONDS), to: Math.ceil(now) + 60 },
  };
}

/** What was said of a group, in words: `resolved`, `assigned to ann`. */
export function changeWords({ status, assignee, note }: ErrorChange): string {
  const parts = [
    status === null ? '' : status === 'open' ? 'opened it' : `${status} it`,
    assignee === null ? '' : assignee === '' ? 'assigned it to nobody' : `assigned it to ${assignee}`,
    note === null ? '' : note === '' ? 'removed the note' : 'noted something',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** When its status was changed, for a chart. */
export function statusMarks(changes: readonly ErrorChange[]): ChartMark[] {
  return changes.flatMap(({ at, status, by }) => {
    const known = STATUSES.find((each) => each === status);
    return known === undefined ? [] : [{ at, label: `${statusLook(known).label}${by === '' ? '' : ` by ${by}`}` }];
  });
}
