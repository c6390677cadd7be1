import { z } from 'zod';
import { seconds } from '../columns.ts';
import type { Store } from '../store.ts';
import { ask, limitOf, type AskOptions, type TimeRange } from './options.ts';

export interface WorkflowListInput extends TimeRange {
  /** All clusters when left out. */
  readonly cluster?: string | undefined;
  /** 1 to 200. @default 50 */
  readonly limit?: number | undefined;
}

const line = z.object({
  cluster: z.string(),
  root_id: z.string(),
  /** Of the root; '' when it is not known. */
  name: z.string(),
  /** The root's own state; '' when it was not seen. */
  root_state: z.string(),
  /** Tasks seen, the root among them, by the state they are in now. */
  states: z.record(z.string(), z.number()),
  /** Of the first that is known: sent, else first seen. */
  started_at: z.number(),
  /** Newest end; null while a task is open. */
  finished_at: z.number().nullable(),
  /** When its newest task was first seen. */
  newest_at: z.number(),
});
/** A workflow in short. Times are Unix seconds. */
export type WorkflowLine = z.output<typeof line>;

export interface WorkflowListPage {
  readonly rows: readonly WorkflowLine[];
  /** There are more in the range. */
  readonly more: boolean;
}

const HOUR = 3_600;
/** Looking back in growing steps: what is recent reads an hour. Seconds. */
const STEPS = [HOUR, 6 * HOUR, 24 * HOUR, 7 * 24 * HOUR, Number.POSITIVE_INFINITY];
/** The root, and the first of its tasks, come before those that the range holds. */
const BEFORE_SECONDS = 24 * HOUR;

const recent = z.object({ cluster: z.string(), root_id: z.string() });

/**
 * Roots of which other tasks came in the range, those with the newest task first. Counted is what was first seen since
 * a day before the oldest task that the search for them came to: of workflows that last for days, the first tasks may be
 * left out, which `workflow` counts all. @throws StoreError
 */
export async function workflowList(
  store: Store,
  input: WorkflowListInput,
  options: AskOptions = {},
): Promise<WorkflowListPage> {
  const limit = limitOf(input.limit, 50, 200);
  let roots: z.output<typeof recent>[] = [];
  let { from } = input;
  for (const step of STEPS) {
    from = Math.max(input.from, input.to - step);
    roots = await recentRoots(store, { ...input, from, limit: limit + 1 }, options);
    if (roots.length > limit || from === input.from) break;
  }
  const shown = roots.slice(0, limit);
  return { rows: await linesOf(store, { ...input, from }, shown, options), more: roots.length > limit };
}

const within = (name: string): string => `${name} >= toDateTime64({from:Float64}, 6, 'UTC')
       AND ${name} < toDateTime64({to:Float64}, 6, 'UTC')`;

function recentRoots(store: Store, input: WorkflowListInput, options: AskOptions): Promise<z.output<typeof recent>[]> {
  return ask(
    store,
    'recent workflows',
    recent,
    // a root and a time of first sight never change: any version of a row says them
    `SELECT t.cluster AS cluster, t.root_id AS root_id
     FROM ${store.database}.tasks_raw AS t
     WHERE ${within('t.first_seen_at')} AND t.root_id != '' AND t.root_id != t.task_id
       ${input.cluster === undefined ? '' : 'AND t.cluster = {cluster:String}'}
     GROUP BY cluster, root_id
     ORDER BY max(t.first_seen_at) DESC, root_id
     LIMIT {limit:UInt32}`,
    { cluster: input.cluster ?? '', from: input.from, to: input.to, limit: input.limit },
    options,
  );
}

async function linesOf(
  store: Store,
  input: WorkflowListInput,
  roots: readonly z.output<typeof recent>[],
  options: AskOptions,
): Promise<WorkflowLine[]> {
  if (roots.length === 0) return [];
  return ask(
    store,
    'workflow list',
    line,
    `WITH arrayZip({clusters:Array(String)}, {ids:Array(String)}) AS roots
     SELECT m.cluster AS cluster, m.root AS root_id, anyIf(m.name, m.is_root) AS name, anyIf(m.state, m.is_root) AS root_state,
            sumMap(map(m.state, toUInt64(1))) AS states, min(m.begun_at) AS started_at,
            if(countIf(m.is_final) = count(), max(m.finished_at), NULL) AS finished_at, max(m.seen_at) AS newest_at
     FROM (
         SELECT t.cluster AS cluster, if(has(roots, (t.cluster, t.task_id)), t.task_id, t.root_id) AS root,
                t.task_id = root AS is_root, t.name AS name, t.state AS state, t.is_final AS is_final,
                ${seconds('coalesce(t.sent_at, t.received_at, t.first_seen_at)')} AS begun_at,
                ${seconds('t.finished_at')} AS finished_at, ${seconds('t.first_seen_at')} AS seen_at
         FROM ${store.database}.tasks_raw AS t
         WHERE (t.root_id IN {ids:Array(String)} OR t.task_id IN {ids:Array(String)})
           AND (has(roots, (t.cluster, t.root_id)) OR has(roots, (t.cluster, t.task_id)))
           AND ${within('t.first_seen_at')}
         ORDER BY t.cluster, t.task_id, t.version DESC
         LIMIT 1 BY t.cluster, t.task_id
     ) AS m
     GROUP BY cluster, root_id
     ORDER BY newest_at DESC, root_id`,
    {
      ids: roots.map(({ root_id }) => root_id),
      clusters: roots.map(({ cluster }) => cluster),
      from: Math.max(0, input.from - BEFORE_SECONDS),
      to: input.to,
    },
    options,
  );
}
