import { extraOf, isTaskEvent } from '../event.ts';
import type { TaskEvent } from '../event.ts';

/**
 * What Celery's events do not tell, told by Meadow in an event of its own. `meadow-result-<state>` says what the result
 * backend holds: the state's name is Celery's, `result`, `exception` and `traceback` are in the words of events. Its time is
 * when the task was done, or for a state on the way (`PROGRESS`), when that was heard; `extra` is then the JSON of its meta.
 * `meadow-lost` says that the process `pid` of worker `hostname` will not end the task any more: nothing known of that run
 * is newer than its time.
 */
export interface MeadowEvent extends Omit<TaskEvent, 'type'> {
  type: `${typeof RESULT}${string}` | 'meadow-lost';
  extra?: string | null;
  /** Why it is lost. */
  end_reason?: string | null;
}

/** Whatever is known to have happened to a task. */
export type TaskFact = TaskEvent | MeadowEvent;

const RESULT = 'meadow-result-';

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

/** The state that a result backend's word brings; null for every other fact. */
export function resultState(type: string): string | null {
  return type.startsWith(RESULT) ? type.slice(RESULT.length) : null;
}

function rankOf(type: string): number {
  return isLifecycle(type) ? rank[type] : 9;
}

/**
 * Total order of a task's facts, the same whatever the order of arrival: time, then type, then Lamport clock, sender and
 * finally content. Zero means the same event heard twice. The clock comes late because clients and pool children keep
 * clocks of their own.
 */
export function compareFacts(a: TaskFact, b: TaskFact): number {
  if (a.timestamp !== b.timestamp) return a.timestamp - b.timestamp;
  if (a.type !== b.type) return rankOf(a.type) - rankOf(b.type) || (a.type < b.type ? -1 : 1);
  const clocks = compareNumbers(a.clock, b.clock);
  if (clocks !== 0) return clocks;
  if (a.hostname !== b.hostname) return a.hostname < b.hostname ? -1 : 1;
  return compareNumbers(a.pid, b.pid) || (a === b ? 0 : compareContent(a, b));
}

/** What is null and what is absent is the same, and comes before every number. */
function compareNumbers(a: number | null | undefined, b: number | null | undefined): number {
  if (a === b) return 0;
  if (a === null || a === undefined) return b === null || b === undefined ? 0 : -1;
  return b === null || b === undefined ? 1 : a - b;
}

/** Everything else the fold reads: tells two events of one sender and instant apart (coarse or missing clocks). */
const content = (
  'retries name args kwargs eta expires root_id parent_id queue exchange routing_key result runtime exception traceback ' +
  'terminated signum expired requeue'
).split(' ') as (keyof TaskEvent)[];

function compareContent(a: TaskFact, b: TaskFact): number {
  for (const field of content) {
    const left = textOf(a[field]);
    const right = textOf(b[field]);
    if (left !== right) return left < right ? -1 : 1;
  }
  const left = restOf(a);
  const right = restOf(b);
  return left === right ? 0 : left < right ? -1 : 1;
}

function restOf(fact: TaskFact): string {
  const rest = isTaskEvent(fact) ? extraOf(fact) : [fact.extra, fact.end_reason];
  return JSON.stringify(rest, bigintAsText);
}

function textOf(value: unknown): string {
  return value === null || value === undefined ? '' : typeof value + String(value);
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
