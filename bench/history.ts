import type { ClickHouseClient } from '@clickhouse/client';

/** How much is made, and up to when. */
export interface HistoryOptions {
  readonly tasks: number;
  /** The tasks are spread over so many days before `until`. */
  readonly days: number;
  /** Unix seconds. */
  readonly until: number;
  readonly onDay: (day: number) => void;
}

/** Events are kept so long by default; of older ones the rollups remain. */
const EVENT_DAYS = 14;
const DAY = 86_400;
/** Tasks of one insert. */
const CHUNK = 500_000;

export const CLUSTERS = ['shop', 'billing', 'analytics', 'mail', 'lab'];
const NAMES = 200;
const APPS = ['orders', 'reports', 'mail', 'images', 'search', 'stock', 'users', 'billing', 'exports', 'sync'];

/** Of the kinds 0 to 199, of which the first have most tasks. */
export const taskName = (kind: number): string => `${APPS[kind % APPS.length] ?? ''}.tasks.step_${kind}`;

/**
 * A history made inside ClickHouse, the same for the same options: five clusters of which one has half of all, 200 task names of
 * which a few make most, working hours, runtimes spread over four decades, 2.5 % failures in 600 groups, four of five tasks sent by another.
 * Rollups are filled by the same views as those of real events.
 */
export async function makeHistory(client: ClickHouseClient, options: HistoryOptions): Promise<void> {
  const { tasks, days, until, onDay } = options;
  const begin = until - days * DAY;
  const perDay = Math.ceil(tasks / days);
  for (let day = 0; day < days; day++) {
    const from = begin + day * DAY;
    const end = Math.min((day + 1) * perDay, tasks);
    for (let first = day * perDay; first < end; first += CHUNK) {
      const base = tasksFrom(first, Math.min(CHUNK, end - first), from);
      await insert(client, 'task_events_in', EVENT, `(${base}) ${STEPS}`);
      await insert(client, 'tasks_raw', TASK, `(${base})`);
    }
    if (until - from > (EVENT_DAYS + 1) * DAY) {
      // the events' own partitions, by the day on which they were collected, are gone by then
      const date = new Date(from * 1000).toISOString().slice(0, 10);
      await client.command({ query: `ALTER TABLE task_events DROP PARTITION '${date}'` });
    }
    onDay(day + 1);
  }
  await client.command({ query: queueSamples(begin, until) });
}

/** SQL of a number from 0 to 1 that looks random: of the task and the purpose. */
const u = (purpose: number): string => `(cityHash64(i, ${purpose}) / 18446744073709551616)`;

const CLUSTER = `multiIf(${[0.5, 0.75, 0.9, 0.97].map((below, index) => `${u(1)} < ${below}, '${CLUSTERS[index]}'`).join()}, 'lab')`;

function tasksFrom(first: number, count: number, dayBegin: number): string {
  const id = (number: string): string =>
    `lower(replaceRegexpOne(hex(sipHash128(${number}, 7)), '^(.{8})(.{4})(.{4})(.{4})(.{12})$', '\\\\1-\\\\2-\\\\3-\\\\4-\\\\5'))`;
  return `
    SELECT
      number + ${first} AS i,
      ${CLUSTER} AS cluster,
      toUInt32(${NAMES} * pow(${u(2)}, 3)) AS kind,
      concat([${APPS.map((app) => `'${app}'`).join()}][kind % ${APPS.length} + 1], '.tasks.step_', toString(kind)) AS name,
      ['default', 'high', 'reports', 'mail', 'images', 'low', 'sync', 'exports'][kind % 8 + 1] AS queue,
      concat('celery@', cluster, '-', toString(cityHash64(i, 3) % 40)) AS worker,
      ${dayBegin} + if(${u(4)} < 0.7, 28800 + 43200 * ${u(5)}, 86400 * ${u(5)}) AS sent,
      -0.4 * log(1 - ${u(6)}) * if(kind % 13 = 0, 40, 1) AS wait,
      exp(log(0.02 * pow(1.045, (kind * 37) % ${NAMES})) + 0.8 * sqrt(-2 * log(${u(8)} + 1e-12)) * cos(6.283185307 * ${u(9)})) AS took,
      multiIf(${u(10)} < 0.97, 'SUCCESS', ${u(10)} < 0.995, 'FAILURE', ${u(10)} < 0.998, 'REVOKED', 'LOST') AS state,
      cityHash64(i, 11) % 100000 AS customer,
      ['ValueError', 'TimeoutError', 'ConnectionError', 'SoftTimeLimitExceeded', 'IntegrityError', 'PermissionError', 'MemoryError', 'KeyError'][(kind + cityHash64(i, 12) % 3) % 8 + 1] AS class,
      ${id('i')} AS task_id,
      if(i % 5 = 0, task_id, ${id('i - i % 5')}) AS root_id,
      if(i % 5 = 0, '', root_id) AS parent_id,
      concat('(', toString(i % 100000), ', \\'customer-', toString(customer), '\\')') AS args,
      concat('{\\'customer_id\\': ', toString(customer), ', \\'order\\': \\'A-', toString(cityHash64(i, 13) % 1000000000), '\\', \\'channel\\': \\'', ['web', 'app', 'shop', 'phone'][i % 4 + 1], '\\'}') AS kwargs,
      concat('{\\'total\\': ', toString(cityHash64(i, 14) % 100000), ', \\'ok\\': True}') AS result,
      concat(class, '(\\'order ', toString(customer), ' could not be handled by ', name, '\\')') AS exception,
      concat('Traceback (most recent call last):\\n  File "/usr/lib/python3/dist-packages/celery/app/trace.py", line 451, in trace_task\\n    R = retval = fun(*args, **kwargs)\\n  File "/app/', splitByChar('.', name)[1], '/tasks.py", line ', toString(40 + kind), ', in step_', toString(kind), '\\n    return handle(order, customer)\\n  File "/app/shop/service.py", line ', toString(100 + kind % 7), ', in handle\\n    raise ', class, '(f"order {customer} could not be handled by {name}")\\n', class, ': order ', toString(customer), ' could not be handled by ', name, '\\n') AS traceback
    FROM numbers(${count})`;
}

type Columns = Readonly<Record<string, string>>;
const names = (columns: Columns): string => Object.keys(columns).join(', ');
const values = (columns: Columns): string =>
  Object.entries(columns)
    .map(([name, value]) => `${value} AS ${name}`)
    .join(', ');

async function insert(client: ClickHouseClient, table: string, columns: Columns, from: string): Promise<void> {
  await client.command({ query: `INSERT INTO ${table} (${names(columns)}) SELECT ${values(columns)} FROM ${from}` });
}

const time = (seconds: string): string => `toDateTime64(${seconds}, 6, 'UTC')`;

const KEPT = `toDateTime(now() + INTERVAL 60 DAY, 'UTC')`;
const FAILED = `state = 'FAILURE'`;
const GROUP = `lower(hex(cityHash64(class, kind)))`;

const TASK: Columns = {
  cluster: 'cluster',
  task_id: 'task_id',
  name: 'name',
  state: 'state',
  end_source: `if(state = 'LOST', 'derived', 'event')`,
  end_reason: `if(state = 'LOST', 'worker-lost', '')`,
  queue: 'queue',
  worker: 'worker',
  pid: 'toUInt32(77)',
  client: `concat('gen4242@', cluster, '-web')`,
  root_id: 'root_id',
  parent_id: 'parent_id',
  args: 'args',
  kwargs: 'kwargs',
  result: `if(state = 'SUCCESS', result, '')`,
  exception: `if(${FAILED}, exception, '')`,
  exception_type: `if(${FAILED}, class, '')`,
  traceback: `if(${FAILED}, traceback, '')`,
  fingerprint: `if(${FAILED}, ${GROUP}, '')`,
  retries: 'toUInt32(0)',
  attempts: 'toUInt32(1)',
  sent_at: time('sent'),
  received_at: time('sent + wait * 0.7'),
  started_at: time('sent + wait'),
  finished_at: time('sent + wait + took'),
  updated_at: time('sent + wait + took'),
  first_seen_at: time('sent + 0.01'),
  wait_seconds: 'wait',
  runtime_seconds: `if(state = 'SUCCESS', took, NULL)`,
  routing_key: 'queue',
  is_final: 'true',
  version: 'toUInt64(i)',
  keep_until: KEPT,
};

const STEPS = `ARRAY JOIN ['task-sent', 'task-received', 'task-started', 'end'] AS step`;
const END = `step = 'end'`;
const BEGIN = `step IN ('task-sent', 'task-received')`;

/** Seconds from sending. */
const AFTER = `multiIf(step = 'task-sent', 0, step = 'task-received', wait * 0.7, step = 'task-started', wait, wait + took)`;

const EVENT: Columns = {
  cluster: 'cluster',
  event_id: `lower(hex(cityHash64(i, step)))`,
  type: `if(${END}, multiIf(state = 'SUCCESS', 'task-succeeded', ${FAILED}, 'task-failed', state = 'REVOKED', 'task-revoked', 'meadow-lost'), step)`,
  timestamp: `toDecimal64(sent + ${AFTER}, 6)`,
  collected_at: `toDecimal64(sent + ${AFTER} + 0.01, 6)`,
  worker: `if(step = 'task-sent', concat('gen4242@', cluster, '-web'), worker)`,
  pid: 'toUInt32(77)',
  clock: 'toUInt64(i)',
  task_id: 'task_id',
  name: 'name',
  queue: 'queue',
  root_id: 'root_id',
  parent_id: 'parent_id',
  state: `multiIf(${END}, state, step = 'task-sent', 'PENDING', step = 'task-received', 'RECEIVED', 'STARTED')`,
  args: `if(${BEGIN}, args, '')`,
  kwargs: `if(${BEGIN}, kwargs, '')`,
  retries: 'toUInt32(0)',
  routing_key: `if(step = 'task-sent', queue, '')`,
  result: `if(${END} AND state = 'SUCCESS', result, '')`,
  runtime: `if(${END} AND state = 'SUCCESS', took, NULL)`,
  wait_seconds: `if(step IN ('task-started', 'end'), wait, NULL)`,
  exception: `if(${END} AND ${FAILED}, exception, '')`,
  exception_type: `if(${END} AND ${FAILED}, class, '')`,
  traceback: `if(${END} AND ${FAILED}, traceback, '')`,
  fingerprint: `if(${END} AND ${FAILED}, ${GROUP}, '')`,
  culprit: `if(${END} AND ${FAILED}, 'shop.service.handle', '')`,
  ran_seconds: `if(${END} AND ${FAILED}, took, NULL)`,
  keep_until: `toUInt32(now() + INTERVAL 60 DAY)`,
};

/** A sample a minute of each queue. */
const queueSamples = (from: number, to: number): string => `
  INSERT INTO queue_samples (cluster, queue, at, kind, source, ready, unacked, consumers, oldest_age_seconds, keep_until)
  SELECT
    [${CLUSTERS.map((cluster) => `'${cluster}'`).join()}][number % ${CLUSTERS.length} + 1],
    ['default', 'high', 'reports', 'mail', 'images', 'low', 'sync', 'exports'][intDiv(number, 5) % 8 + 1],
    ${time(`${from} + 60 * intDiv(number, 40)`)},
    'list', 'redis', cityHash64(number) % 500, cityHash64(number, 1) % 40, 40, (cityHash64(number) % 500) / 10, ${KEPT}
  FROM numbers(${Math.floor((to - from) / 60) * 40})`;
