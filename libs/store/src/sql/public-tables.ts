/** The tables and views that people may ask, most asked first: those of docs/sql.md, and a test holds both together. */
export const PUBLIC_TABLES: readonly string[] = [
  'tasks',
  'task_events',
  'failures',
  'error_groups',
  'workers',
  'worker_samples',
  'queues',
  'queue_samples',
  'marks',
  'audit',
  'task_rates',
  'name_hour_rollup',
  'worker_hour_rollup',
  'task_durations',
  'name_duration_rollup',
  'name_day_duration_rollup',
  'duration_rollup',
  'hour_duration_rollup',
  'failure_rollup',
  'error_rollup',
  'error_changes',
  'ingest_gaps',
  'ingest_loss',
  'task_starts',
  'poison',
  'schema_migrations',
];

/** Table functions that make rows of nothing but their arguments. */
export const TABLE_FUNCTIONS: readonly string[] = ['generate_series', 'generateSeries', 'numbers', 'values', 'zeros'];
