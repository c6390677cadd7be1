/** The tables and views that people may ask, which are those of docs/sql.md: a test holds both together. */
export const PUBLIC_TABLES: readonly string[] = [
  'audit',
  'duration_rollup',
  'error_changes',
  'error_groups',
  'error_rollup',
  'failure_rollup',
  'failures',
  'hour_duration_rollup',
  'ingest_gaps',
  'ingest_loss',
  'marks',
  'name_day_duration_rollup',
  'name_duration_rollup',
  'name_hour_rollup',
  'poison',
  'queue_samples',
  'queues',
  'schema_migrations',
  'task_durations',
  'task_events',
  'task_rates',
  'task_starts',
  'tasks',
  'worker_hour_rollup',
  'worker_samples',
  'workers',
];

/** Table functions that make rows of nothing but their arguments. */
export const TABLE_FUNCTIONS: readonly string[] = ['generate_series', 'generateSeries', 'numbers', 'values', 'zeros'];
