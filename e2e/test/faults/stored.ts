import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { rounded, type Facts, type NamedFacts } from './facts.ts';

/** A span in which Meadow says that events may be missing. */
export interface Gap {
  readonly reason: string;
  /** Unix seconds */
  readonly from: number;
  readonly to: number;
  readonly estimatedEvents: number | null;
}

/** What is in ClickHouse, asked by plain SQL over the public tables. */
export interface Stored extends AsyncDisposable {
  /** How many events, by cluster. Empty while nothing is there. */
  counts(): Promise<ReadonlyMap<string, number>>;
  /** Sender's time of the newest event, Unix seconds, by cluster. */
  newest(): Promise<ReadonlyMap<string, number>>;
  /** `<sender>/<clock>` of each event. */
  ids(cluster: string): Promise<ReadonlySet<string>>;
  facts(cluster: string): Promise<Facts>;
  namedFacts(cluster: string): Promise<NamedFacts>;
  gaps(cluster: string): Promise<readonly Gap[]>;
  /**
   * How events came to be stored twice: with one id or two, collected once (the aggregator wrote a message twice) or twice
   * (the broker told them twice), and when.
   */
  repeats(cluster: string): Promise<readonly object[]>;
  query<Row>(sql: string, cluster?: string): Promise<Row[]>;
}

const TYPES = ['sent', 'received', 'started', 'succeeded', 'failed', 'retried'];
const QUANTILES = 'quantilesDD%(0.01, 0.5, 0.95, 0.99)';

export function openStored(url: string): Stored {
  const client = createClient({ url, database: 'meadow', log: { level: ClickHouseLogLevel.OFF } });
  const query = async <Row>(sql: string, cluster = ''): Promise<Row[]> => {
    const answer = await client.query({ query: sql, format: 'JSONEachRow', query_params: { cluster } });
    return answer.json<Row>();
  };
  /** Rows of a key and a count, zeros left out. */
  const tally = async (cluster: string, sql: string): Promise<Record<string, number>> => {
    const rows = await query<{ key: string; n: string }>(`SELECT * FROM (${sql}) WHERE n > 0 ORDER BY key`, cluster);
    return Object.fromEntries(rows.map(({ key, n }) => [key, Number(n)]));
  };
  const byCluster = async (sql: string): Promise<Map<string, number>> => {
    const rows = await query<{ cluster: string; n: string }>(sql);
    return new Map(rows.map(({ cluster, n }) => [cluster, Number(n)]));
  };
  const numbers = async (cluster: string, sql: string): Promise<Record<string, number>> => {
    const [row] = await query<Record<string, string>>(sql, cluster);
    return Object.fromEntries(Object.entries(row ?? {}).map(([key, value]) => [key, Number(value)]));
  };
  return {
    query,
    counts: () => byCluster('SELECT cluster, count() AS n FROM task_events GROUP BY cluster'),
    newest: () =>
      byCluster('SELECT cluster, toUnixTimestamp64Micro(max(timestamp)) / 1e6 AS n FROM task_events GROUP BY cluster'),
    async ids(cluster) {
      const rows = await query<{ id: string }>(
        `SELECT concat(worker, '/', toString(clock)) AS id FROM task_events WHERE cluster = {cluster:String}`,
        cluster,
      );
      return new Set(rows.map(({ id }) => id));
    },
    async facts(cluster) {
      const [events, repeats, tasks, rollup, runtimes, failures, wrongRollups] = await Promise.all([
        tally(
          cluster,
          'SELECT type AS key, count() AS n FROM task_events WHERE cluster = {cluster:String} GROUP BY type',
        ),
        numbers(
          cluster,
          `SELECT count() - uniqExact(worker, clock) AS n FROM task_events WHERE cluster = {cluster:String}`,
        ),
        numbers(
          cluster,
          `SELECT count() AS rows, uniqExact(task_id) AS ids, countIf(state = 'SUCCESS') AS succeeded, countIf(state = 'FAILURE') AS failed
           FROM tasks WHERE cluster = {cluster:String}`,
        ),
        tally(
          cluster,
          TYPES.map(
            (type) =>
              `SELECT concat(toString(toUnixTimestamp(minute)), ' task-${type}') AS key, sum(${type}) AS n
               FROM task_rollup WHERE cluster = {cluster:String} GROUP BY key`,
          ).join(' UNION ALL '),
        ),
        numbers(
          cluster,
          `SELECT sum(runtime_count) AS count, sum(runtime_sum) AS sum FROM task_rollup WHERE cluster = {cluster:String}`,
        ),
        tally(
          cluster,
          `SELECT concat(toString(toUnixTimestamp(minute)), ' ', exception_type) AS key, sum(f.failed) AS n
           FROM failure_rollup AS f WHERE cluster = {cluster:String} GROUP BY key`,
        ),
        wrong(cluster),
      ]);
      const count = runtimes['count'] ?? 0;
      return {
        events,
        repeated: repeats['n'] ?? 0,
        tasks: tasks as unknown as Facts['tasks'],
        rollup,
        runtimes: { count, sum: rounded(runtimes['sum'] ?? 0) },
        failures,
        wrongRollups,
      };
    },
    async namedFacts(cluster) {
      const [byName, failures, waits] = await Promise.all([
        tally(
          cluster,
          `SELECT concat(toString(toUnixTimestamp(minute)), ' ', name) AS key, sum(r.events) AS n
           FROM task_rollup AS r WHERE cluster = {cluster:String} GROUP BY key`,
        ),
        tally(
          cluster,
          `SELECT concat(toString(toUnixTimestamp(minute)), ' ', name, ' ', exception_type) AS key, sum(f.failed) AS n
           FROM failure_rollup AS f WHERE cluster = {cluster:String} GROUP BY key`,
        ),
        numbers(cluster, 'SELECT sum(wait_count) AS n FROM task_rollup WHERE cluster = {cluster:String}'),
      ]);
      return { byName, failures, waits: waits['n'] ?? 0 };
    },
    async gaps(cluster) {
      const rows = await query<{ reason: string; from: string; to: string; estimated: string | null }>(
        `SELECT reason, toUnixTimestamp64Micro(started_at) / 1e6 AS from, toUnixTimestamp64Micro(ended_at) / 1e6 AS to,
           estimated_events AS estimated
         FROM ingest_gaps WHERE cluster = {cluster:String} ORDER BY started_at`,
        cluster,
      );
      return rows.map(({ reason, from, to, estimated }) => ({
        reason,
        from: Number(from),
        to: Number(to),
        estimatedEvents: estimated === null ? null : Number(estimated),
      }));
    },
    repeats: (cluster) =>
      query(
        `SELECT ids, collections, count() AS events, min(first) AS from, max(first) AS to, min(last) AS again_from, max(last) AS again_to
         FROM (
           SELECT uniqExact(event_id) AS ids, uniqExact(collected_at) AS collections, min(collected_at) AS first, max(collected_at) AS last
           FROM task_events WHERE cluster = {cluster:String} GROUP BY worker, clock HAVING count() > 1
         ) GROUP BY ids, collections`,
        cluster,
      ),
    [Symbol.asyncDispose]: () => client.close(),
  };

  /** Rows of rollups that are not as the stored events make them. A sketch that took a block twice, or missed one, has other bytes. */
  async function wrong(cluster: string): Promise<number> {
    const compare = (table: string, keys: string, of: string): string => `
      SELECT count() AS n FROM (
        SELECT ${keys}, hex(${QUANTILES.replace('%', 'MergeState')}(d.runtime)) AS runtime, hex(${QUANTILES.replace('%', 'MergeState')}(d.wait)) AS wait
        FROM ${table} AS d WHERE cluster = {cluster:String} GROUP BY ${keys}
      ) AS kept FULL OUTER JOIN (
        SELECT ${of}, hex(${QUANTILES.replace('%', 'StateIf')}(assumeNotNull(e.runtime), e.runtime IS NOT NULL)) AS runtime,
          hex(${QUANTILES.replace('%', 'StateIf')}(assumeNotNull(e.wait_seconds), e.type = 'task-started' AND e.wait_seconds IS NOT NULL)) AS wait
        FROM task_events AS e WHERE cluster = {cluster:String} AND type IN ('task-started', 'task-succeeded') GROUP BY ${keys}
      ) AS made USING (${keys})
      WHERE kept.runtime != made.runtime OR kept.wait != made.wait`;
    const counted = (table: string, keys: string): string => `
      SELECT count() AS n FROM (
        SELECT toUnixTimestamp(hour) AS at, ${keys}, sum(r.events) AS kept, sum(r.started) AS starts
        FROM ${table} AS r WHERE cluster = {cluster:String} GROUP BY at, ${keys}
      ) AS kept FULL OUTER JOIN (
        SELECT toUnixTimestamp(toStartOfHour(toDateTime(timestamp, 'UTC'))) AS at, ${keys}, count() AS made, countIf(type = 'task-started') AS starts
        FROM task_events WHERE cluster = {cluster:String} AND NOT startsWith(type, 'meadow-') GROUP BY at, ${keys}
      ) AS made USING (at, ${keys})
      WHERE kept.kept != made.made OR kept.starts != made.starts`;
    const time = (to: string): string => `toStartOf${to}(toDateTime(e.timestamp, 'UTC'))`;
    const questions = [
      compare('duration_rollup', 'minute', `${time('Minute')} AS minute`),
      compare('hour_duration_rollup', 'hour', `${time('Hour')} AS hour`),
      compare('name_duration_rollup', 'hour, name', `${time('Hour')} AS hour, e.name AS name`),
      compare('name_day_duration_rollup', 'day, name', `toDate(e.timestamp, 'UTC') AS day, e.name AS name`),
      counted('name_hour_rollup', 'name, queue'),
      counted('worker_hour_rollup', 'worker'),
    ];
    const answers = await Promise.all(questions.map((question) => numbers(cluster, question)));
    return answers.reduce((sum, { n = 0 }) => sum + n, 0);
  }
}
