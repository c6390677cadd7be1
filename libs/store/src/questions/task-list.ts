import { taskListRow, type TaskListRow } from '@meadow/contract';
import { z } from 'zod';
import { taskListColumns } from '../columns.ts';
import type { Store } from '../store.ts';
import { readCursor, writeCursor, type Cursor } from './cursor.ts';
import { ask, limitOf, type AskOptions } from './options.ts';

export interface TaskListInput {
  readonly cluster?: string | undefined;
  readonly states?: readonly string[] | undefined;
  /** Exact name, or a prefix when it ends in `*`. */
  readonly name?: string | undefined;
  readonly queue?: string | undefined;
  readonly worker?: string | undefined;
  /** Substring of name, id, args, kwargs, result or exception, ignoring case. */
  readonly text?: string | undefined;
  /** First seen from this time on, Unix seconds. */
  readonly from?: number | undefined;
  /** First seen before this time, Unix seconds. */
  readonly to?: number | undefined;
  /** 1 to 500. @default 50 */
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

export interface TaskListPage {
  readonly rows: readonly TaskListRow[];
  /** Cursor of the next page; null when this is the last. */
  readonly next: string | null;
}

/**
 * Tasks newest first (by first_seen_at, then id). Pages neither repeat nor leave out a task that was there when the
 * first was asked for, whatever is written meanwhile. @throws StoreError STORE_BAD_CURSOR on a foreign cursor
 */
export async function taskList(store: Store, input: TaskListInput, options: AskOptions = {}): Promise<TaskListPage> {
  const limit = limitOf(input.limit, 50, 500);
  const filter = filterOf(input);
  const rows: Row[] = [];
  let cursor = input.cursor === undefined ? await newest(store, input, options) : readCursor(input.cursor, 'task list');
  const oldest = Math.floor((input.from ?? 0) * 1e6);
  // Looking back in growing steps: a page of recent tasks reads an hour, and only a rare find reads everything.
  for (const step of STEPS) {
    if (cursor === null || rows.length > limit) break;
    const lower = Math.max(oldest, step === null ? 0 : cursor.micros - step);
    rows.push(...(await readStep(store, filter, cursor, lower, limit + 1 - rows.length, options)));
    if (lower === oldest) break;
    // everything above `lower` has been read; no row lies before an id of ''
    cursor = { micros: lower, id: '', cluster: '' };
  }
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    rows: page.map(({ micros: _, ...row }) => row),
    next: rows.length > limit && last !== undefined ? writeCursor({ ...last, id: last.task_id }) : null,
  };
}

const HOUR = 3_600_000_000;
/** Microseconds; the last takes in all that is left. */
const STEPS: readonly (number | null)[] = [HOUR, 6 * HOUR, 24 * HOUR, 7 * 24 * HOUR, null];

const rowSchema = taskListRow.extend({ micros: z.number() });
type Row = z.output<typeof rowSchema>;

interface Filter {
  readonly conditions: readonly string[];
  readonly params: Readonly<Record<string, unknown>>;
}

async function readStep(
  store: Store,
  filter: Filter,
  cursor: Cursor,
  lower: number,
  limit: number,
  options: AskOptions,
): Promise<Row[]> {
  const key = 't.cluster, toStartOfHour(t.first_seen_at), t.task_id';
  return ask(
    store,
    'task list',
    rowSchema,
    // The inner part reads, of every task in the step, only what the filter needs; the outer the page's long texts.
    `SELECT ${taskListColumns}, toUnixTimestamp64Micro(t.first_seen_at) AS micros
     FROM ${store.database}.tasks_raw AS t
     WHERE (${key}) IN (
         SELECT ${key}
         FROM ${store.database}.tasks_raw AS t FINAL
         WHERE t.first_seen_at >= fromUnixTimestamp64Micro({lower:Int64}, 'UTC')
           AND t.first_seen_at <= fromUnixTimestamp64Micro({upper:Int64}, 'UTC')
           AND (t.first_seen_at, t.task_id, t.cluster)
             < (fromUnixTimestamp64Micro({upper:Int64}, 'UTC'), {afterId:String}, {afterCluster:String})
           ${filter.conditions.map((condition) => `AND (${condition})`).join('\n           ')}
         ORDER BY t.first_seen_at DESC, t.task_id DESC, t.cluster DESC
         LIMIT {limit:UInt32}
     )
     ORDER BY t.first_seen_at DESC, t.task_id DESC, t.cluster DESC, t.version DESC
     LIMIT 1 BY t.cluster, t.task_id, t.first_seen_at`,
    { ...filter.params, lower, upper: cursor.micros, afterId: cursor.id, afterCluster: cursor.cluster, limit },
    options,
  );
}

/** Where the first page begins: at `to`, or just above the newest task; null when there is none. */
async function newest(store: Store, input: TaskListInput, options: AskOptions): Promise<Cursor | null> {
  if (input.to !== undefined) return { micros: Math.ceil(input.to * 1e6), id: '', cluster: '' };
  const rows = await ask(
    store,
    'newest task',
    z.object({ micros: z.number() }),
    `SELECT toUnixTimestamp64Micro(max(t.first_seen_at)) AS micros FROM ${store.database}.tasks_raw AS t HAVING count() > 0`,
    {},
    options,
  );
  const found = rows[0];
  return found === undefined ? null : { micros: found.micros + 1, id: '', cluster: '' };
}

function filterOf(input: TaskListInput): Filter {
  const conditions: string[] = [];
  const params: Record<string, unknown> = {};
  const where = (condition: string, name: string, value: unknown) => {
    conditions.push(condition);
    params[name] = value;
  };
  if (input.cluster !== undefined) where('t.cluster = {cluster:String}', 'cluster', input.cluster);
  if (input.states !== undefined && input.states.length > 0) {
    where('t.state IN {states:Array(String)}', 'states', input.states);
  }
  if (input.queue !== undefined) where('t.queue = {queue:String}', 'queue', input.queue);
  if (input.worker !== undefined) where('t.worker = {worker:String}', 'worker', input.worker);
  if (input.name?.endsWith('*') === true) where('startsWith(t.name, {name:String})', 'name', input.name.slice(0, -1));
  else if (input.name !== undefined) where('t.name = {name:String}', 'name', input.name);
  if (input.text !== undefined && input.text !== '') {
    const texts = ['name', 'task_id', 'args', 'kwargs', 'result', 'exception'];
    where(
      texts.map((name) => `positionCaseInsensitiveUTF8(t.${name}, {text:String}) > 0`).join(' OR '),
      'text',
      input.text,
    );
  }
  return { conditions, params };
}
