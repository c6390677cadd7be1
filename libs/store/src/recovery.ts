import { eventColumns, seconds } from './columns.ts';
import { StoreError } from './errors.ts';
import type { StoredTaskEvent } from './rows.ts';
import type { Store } from './store.ts';

/** What the aggregator reads back when its own memory does not reach far enough. */
export interface RecoveryOptions {
  readonly signal?: AbortSignal | undefined;
  /** @default 30_000 */
  readonly timeoutMs?: number | undefined;
}

/** The most ids of one question. */
export const MAX_IDS = 10_000;

/** Statements stay under ClickHouse's limit of 256 KiB of text. */
const IDS_PER_STATEMENT = 2_500;
/** Each becomes 2 hex digits, or up to 6 outside ASCII; Celery's uuids have 36. */
const CHARACTERS_PER_STATEMENT = 100_000;

/**
 * Every stored event of these tasks, each task's in order of timestamp; at most 10,000 ids.
 * @param input.since only those collected from then on, Unix seconds; ids lie anywhere, so that without it much is read
 * @throws StoreError
 */
export async function taskEventsByIds(
  store: Store,
  input: RecoveryOptions & { readonly cluster: string; readonly taskIds: readonly string[]; readonly since?: number },
): Promise<StoredTaskEvent[]> {
  return byIds<StoredTaskEvent>(
    store,
    input,
    'task events by ids',
    (ids) => `
      SELECT ${eventColumns}
      FROM ${store.database}.task_events AS e
      WHERE e.cluster = {cluster:String} AND e.task_id IN (${ids})
        AND e.collected_at >= toDateTime64({since:Float64}, 6, 'UTC')
      ORDER BY e.task_id, e.timestamp, e.clock, e.event_id
      -- a repeated event has the same id, so it is told once
      LIMIT 1 BY e.task_id, e.timestamp, e.event_id`,
  );
}

/** What is stored of a task's row that must not change when it is written again. */
export interface StoredTaskKey {
  readonly cluster: string;
  readonly task_id: string;
  /** Unix seconds. Part of the row's key: a row written with another value is another row. */
  readonly first_seen_at: number;
  readonly version: number;
  readonly is_final: boolean;
}

const KEY_COLUMNS = `cluster, task_id, ${seconds('t.first_seen_at')} AS first_seen_at, version, is_final`;

/** The newest stored version of these tasks; those never written are left out; at most 10,000 ids. @throws StoreError */
export async function taskKeysByIds(
  store: Store,
  input: RecoveryOptions & { readonly cluster: string; readonly taskIds: readonly string[] },
): Promise<StoredTaskKey[]> {
  return byIds<StoredTaskKey>(
    store,
    input,
    'task keys by ids',
    (ids) => `
      SELECT ${KEY_COLUMNS}
      FROM ${store.database}.tasks_raw AS t
      WHERE t.cluster = {cluster:String} AND t.task_id IN (${ids})
      ORDER BY t.version DESC
      LIMIT 1 BY t.task_id`,
  );
}

/**
 * Ids of the task events collected in the last seconds before the newest stored one, newest first, at most `limit`: an
 * aggregator that comes back after hours asks for those it wrote before it went. @throws StoreError
 */
export async function recentEventIds(
  store: Store,
  input: RecoveryOptions & {
    readonly sinceSeconds: number;
    readonly limit: number;
    readonly cluster?: string | undefined;
  },
): Promise<string[]> {
  const rows = await store.query<{ event_id: string }>(
    'recent event ids',
    `SELECT e.event_id AS event_id
     FROM ${store.database}.task_events AS e
     -- a collector's clock that runs ahead must not hide the others' events
     WHERE e.collected_at > least(now64(6), (SELECT max(collected_at) FROM ${store.database}.task_events)) - toIntervalSecond({since:UInt32})
       AND ({cluster:String} = '' OR e.cluster = {cluster:String})
     ORDER BY e.collected_at DESC
     LIMIT {limit:UInt32}`,
    { since: input.sinceSeconds, limit: input.limit, cluster: input.cluster ?? '' },
    { timeoutMs: 30_000, ...input },
  );
  return rows.map((row) => row.event_id);
}

/** Ids of the newest audit records, oldest first, at most `limit`. @throws StoreError */
export async function recentAuditIds(
  store: Store,
  input: RecoveryOptions & { readonly sinceSeconds: number; readonly limit: number },
): Promise<string[]> {
  const rows = await store.query<{ id: string }>(
    'recent audit ids',
    `SELECT a.id AS id
     FROM ${store.database}.audit AS a
     WHERE a.at > now64(6) - toIntervalSecond({since:UInt32})
     ORDER BY a.at DESC
     LIMIT {limit:UInt32}`,
    { since: input.sinceSeconds, limit: input.limit },
    { timeoutMs: 30_000, ...input },
  );
  return rows.map((row) => row.id).reverse();
}

/** How long after its last event a final task may still be heard of. */
const LINGERS_SECONDS = 600;

/** Of which tasks more may be heard; no task is of two kinds, though versions of it may be. */
const OPEN_KINDS = [
  // the one that waits for longest is received next
  ['NOT t.is_final', 't.first_seen_at'],
  // redelivery undoes it
  [`t.is_final AND t.state = 'LOST'`, 't.first_seen_at DESC'],
  // events may come in another order
  [
    `t.is_final AND t.state != 'LOST' AND t.updated_at > now64(6) - toIntervalSecond({lingers:UInt32})`,
    't.updated_at DESC',
  ],
] as const;

/**
 * Tasks first seen in the last seconds of which more may be heard: those that are not final, the oldest first; those that
 * are lost; those that became final a moment ago; of each at most `limit`. Versions of rows are read, without FINAL, so
 * that some may have ended since: who asks looks up what he hears of. @throws StoreError
 */
export async function openTaskIds(
  store: Store,
  input: RecoveryOptions & {
    readonly sinceSeconds: number;
    readonly limit: number;
    readonly cluster?: string | undefined;
  },
): Promise<Pick<StoredTaskKey, 'cluster' | 'task_id'>[]> {
  const tasks: Pick<StoredTaskKey, 'cluster' | 'task_id'>[] = [];
  for (const [condition, order] of OPEN_KINDS) {
    const rows = await store.query<Pick<StoredTaskKey, 'cluster' | 'task_id'>>(
      'open task ids',
      `SELECT t.cluster AS cluster, t.task_id AS task_id
       FROM ${store.database}.tasks_raw AS t
       WHERE toStartOfHour(t.first_seen_at) >= toStartOfHour(now() - toIntervalSecond({since:UInt32}))
         AND t.first_seen_at > now64(6) - toIntervalSecond({since:UInt32})
         AND ({cluster:String} = '' OR t.cluster = {cluster:String})
         AND ${condition}
       ORDER BY ${order}
       LIMIT 1 BY t.cluster, t.task_id
       LIMIT {limit:UInt32}`,
      { since: input.sinceSeconds, lingers: LINGERS_SECONDS, limit: input.limit, cluster: input.cluster ?? '' },
      { timeoutMs: 30_000, ...input },
    );
    for (const row of rows) tasks.push(row);
  }
  return tasks;
}

/**
 * Ids go into the statement as hex digits: thousands of them do not fit into a URL, where parameters travel, and an
 * alphabet of 0-9, a-f and the comma cannot leave its literal.
 */
async function byIds<Row>(
  store: Store,
  input: RecoveryOptions & { readonly cluster: string; readonly taskIds: readonly string[]; readonly since?: number },
  operation: string,
  statement: (ids: string) => string,
): Promise<Row[]> {
  if (input.taskIds.length > MAX_IDS) {
    throw new StoreError('STORE_BATCH_TOO_LARGE', `${operation}: ${input.taskIds.length} ids, at most ${MAX_IDS}`, {
      operation,
    });
  }
  const rows: Row[] = [];
  for (const ids of chunksOf(input.taskIds)) {
    const hex = ids.map((id) => Buffer.from(id).toString('hex')).join(',');
    const sql = statement(`SELECT unhex(arrayJoin(splitByChar(',', '${hex}')))`);
    rows.push(
      ...(await store.query<Row>(
        operation,
        sql,
        { cluster: input.cluster, since: Math.max(0, input.since ?? 0) },
        { timeoutMs: 30_000, ...input },
      )),
    );
  }
  return rows;
}

/** Cut by count and by size, since an id may be any text. */
function* chunksOf(ids: readonly string[]): Generator<string[]> {
  let chunk: string[] = [];
  let characters = 0;
  for (const id of new Set(ids)) {
    if (chunk.length === IDS_PER_STATEMENT || (chunk.length > 0 && characters + id.length > CHARACTERS_PER_STATEMENT)) {
      yield chunk;
      chunk = [];
      characters = 0;
    }
    chunk.push(id);
    characters += id.length;
  }
  if (chunk.length > 0) yield chunk;
}
