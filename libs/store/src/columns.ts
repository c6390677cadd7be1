/** A DateTime64 as a number: Unix seconds with microseconds; null stays null. A double holds today's exactly. */
export function seconds(column: string): string {
  return `toFloat64(${column})`;
}

/** Of `task_events AS e`: what a `StoredTaskEvent` holds. */
export const eventColumns = [
  ...['cluster', 'event_id', 'type', 'worker', 'pid', 'clock', 'task_id', 'name', 'args', 'kwargs', 'retries', 'eta'],
  ...['expires', 'root_id', 'parent_id', 'queue', 'exchange', 'routing_key', 'result', 'runtime', 'exception'],
  ...['traceback', 'terminated', 'signum', 'expired', 'requeue', 'extra', 'end_reason'],
]
  .map((name) => `e.${name} AS ${name}`)
  .concat(`${seconds('e.timestamp')} AS timestamp`, `${seconds('e.collected_at')} AS collected_at`)
  .join(', ');

/** Texts that a list shows cut to 200 characters. */
const LIST_TEXTS = ['args', 'kwargs', 'result', 'exception'];
const TASK_TIMES = ['sent_at', 'received_at', 'started_at', 'finished_at', 'updated_at', 'first_seen_at'];
const LIST_FACTS = [
  ...['cluster', 'task_id', 'name', 'state', 'queue', 'worker', 'root_id', 'parent_id', 'retries', 'attempts'],
  ...['wait_seconds', 'runtime_seconds', 'progress'],
];

/** Of `tasks_raw AS t`: what a `TaskListRow` holds. */
export const taskListColumns = [
  ...LIST_FACTS.map((name) => `t.${name} AS ${name}`),
  ...LIST_TEXTS.map((name) => `substringUTF8(t.${name}, 1, 200) AS ${name}`),
  ...TASK_TIMES.map((name) => `${seconds(`t.${name}`)} AS ${name}`),
].join(', ');

/** Of `tasks_raw AS t`: what a `TaskRow` holds, `attempt_log` still as text. */
export const taskColumns = [
  ...[...LIST_FACTS, ...LIST_TEXTS].map((name) => `t.${name} AS ${name}`),
  ...[...TASK_TIMES, 'retried_at'].map((name) => `${seconds(`t.${name}`)} AS ${name}`),
  ...['client', 'exception_type', 'traceback', 'fingerprint', 'eta', 'expires', 'exchange', 'routing_key'].map(
    (name) => `t.${name} AS ${name}`,
  ),
  ...['terminated', 'signum', 'expired', 'cut', 'clock_skewed', 'attempt_log', 'end_source', 'end_reason', 'pid'].map(
    (name) => `t.${name} AS ${name}`,
  ),
].join(', ');
