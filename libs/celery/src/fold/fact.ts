import { extraOf } from '../event.ts';
import type { TaskEvent } from '../event.ts';

/**
 * Order of types that share a timestamp: the order in which a run goes through them, weaker ends first. Custom events are
 * absent: they are kept apart.
 */
const rank = {
  'task-sent': 0,
  'task-received': 1,
  'task-started': 2,
  'task-retried': 3,
  'task-rejected': 4,
  'task-cancelled': 5,
  'task-revoked': 6,
  'task-failed': 7,
  'task-succeeded': 8,
} as const;

/** Event types with a meaning of Celery's; every other `task-…` is custom. */
export type LifecycleType = keyof typeof rank;

/** True for the nine types a task's life is made of. */
export function isLifecycle(type: string): type is LifecycleType {
  return Object.hasOwn(rank, type);
}

function rankOf(type: string): number {
  return isLifecycle(type) ? rank[type] : 9;
}

/**
 * Total order of a task's facts, the same whatever the order of arrival: time, then type, then Lamport clock, sender and
 * finally content. Zero means the same event heard twice. The clock comes late because clients and pool children keep
 * clocks of their own.
 */
export function compareFacts(a: TaskEvent, b: TaskEvent): number {
  if (a.timestamp !== b.timestamp) return a.timestamp - b.timestamp;
  if (a.type !== b.type) return rankOf(a.type) - rankOf(b.type) || (a.type < b.type ? -1 : 1);
  if (a.clock !== b.clock) return (a.clock ?? -1) - (b.clock ?? -1);
  if (a.hostname !== b.hostname) return a.hostname < b.hostname ? -1 : 1;
  if (a.pid !== b.pid) return (a.pid ?? -1) - (b.pid ?? -1);
  return a === b ? 0 : compareContent(a, b);
}

/** Everything else the fold reads: tells two events of one sender and instant apart (coarse or missing clocks). */
const content = (
  'retries name args kwargs eta expires root_id parent_id queue exchange routing_key result runtime exception traceback ' +
  'terminated signum expired requeue'
).split(' ') as (keyof TaskEvent)[];

function compareContent(a: TaskEvent, b: TaskEvent): number {
  for (const field of content) {
    const left = textOf(a[field]);
    const right = textOf(b[field]);
    if (left !== right) return left < right ? -1 : 1;
  }
  const left = JSON.stringify(extraOf(a), bigintAsText);
  const right = JSON.stringify(extraOf(b), bigintAsText);
  return left === right ? 0 : left < right ? -1 : 1;
}

function textOf(value: unknown): string {
  return value === null || value === undefined ? '' : typeof value + String(value);
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
