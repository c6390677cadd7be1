import { z } from 'zod';
import { seconds } from '../columns.ts';
import type { Store } from '../store.ts';
import { ask, limitOf, type AskOptions } from './options.ts';
import { attemptLog } from './task-detail.ts';

export interface WorkflowInput {
  readonly cluster: string;
  /** Id of the task that began it. */
  readonly rootId: string;
  /** 1 to 20,000. @default 20_000 */
  readonly limit?: number | undefined;
}

const time = z.number().nullable();
const member = z.object({
  task_id: z.string(),
  parent_id: z.string(),
  name: z.string(),
  state: z.string(),
  queue: z.string(),
  worker: z.string(),
  ...{ sent_at: time, received_at: time, started_at: time, finished_at: time },
  first_seen_at: z.number(),
  runtime_seconds: time,
  attempts: z.number(),
  /** Cut to 200 characters. */
  exception: z.string(),
  /** Earlier runs and the newest, where there was more than one. */
  attempt_log: attemptLog,
});
/** A task of a workflow. Times are Unix seconds; '' and null: not known. */
export type StoredMember = z.output<typeof member>;

export interface StoredWorkflow {
  /** By the hour of their first sight. */
  readonly members: readonly StoredMember[];
  /** There are more than were asked for. */
  readonly capped: boolean;
}

const MOST_MEMBERS = 20_000;
/** A child may be heard of before its root is: the two come from different processes. */
const DISORDER_SECONDS = 3_600;

const COLUMNS = [
  ...['task_id', 'parent_id', 'name', 'state', 'queue', 'worker', 'runtime_seconds', 'attempts'].map(
    (name) => `t.${name} AS ${name}`,
  ),
  ...['sent_at', 'received_at', 'started_at', 'finished_at', 'first_seen_at'].map(
    (name) => `${seconds(`t.${name}`)} AS ${name}`,
  ),
  'substringUTF8(t.exception, 1, 200) AS exception',
  // most tasks run once: that run is told by the columns above
  "if(t.attempts > 1, t.attempt_log, '') AS attempt_log",
].join(', ');

/** How many tasks name this one as their root, itself counted in any case. @throws StoreError */
export async function workflowSize(
  store: Store,
  { cluster, rootId }: Omit<WorkflowInput, 'limit'>,
  options: AskOptions = {},
): Promise<number> {
  const rows = await ask(
    store,
    'workflow size',
    z.object({ tasks: z.number() }),
    `SELECT uniqExactIf(t.task_id, t.task_id != {rootId:String}) + 1 AS tasks
     FROM ${store.database}.tasks_raw AS t
     WHERE t.cluster = {cluster:String} AND t.root_id = {rootId:String}`,
    { cluster, rootId },
    options,
  );
  return rows[0]?.tasks ?? 1;
}

/** Every task that names this one as its root, and the root itself; none where neither is known. @throws StoreError */
export async function workflow(store: Store, input: WorkflowInput, options: AskOptions = {}): Promise<StoredWorkflow> {
  const { cluster, rootId } = input;
  const limit = limitOf(input.limit, MOST_MEMBERS, MOST_MEMBERS);
  const read = (operation: string, where: string, more: Readonly<Record<string, unknown>>): Promise<StoredMember[]> =>
    ask(
      store,
      operation,
      member,
      // picking the newest version here, instead of FINAL, lets the filters on ids skip nearly every granule
      `SELECT ${COLUMNS}
       FROM ${store.database}.tasks_raw AS t
       WHERE t.cluster = {cluster:String} AND ${where}
       ORDER BY toStartOfHour(t.first_seen_at), t.task_id, t.version DESC
       LIMIT 1 BY t.task_id
       LIMIT {limit:UInt32}`,
      { cluster, rootId, ...more },
      options,
    );
  const [root] = await read('workflow root', 't.task_id = {rootId:String}', { limit: 1 });
  // nothing of a workflow comes long before its root: with it, only the hours since then are looked through
  const since = root === undefined ? 0 : Math.max(0, root.first_seen_at - DISORDER_SECONDS);
  const others = await read(
    'workflow members',
    `t.root_id = {rootId:String} AND t.task_id != {rootId:String}
         AND t.first_seen_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')`,
    { since: Math.floor(since * 1e6), limit: limit + 1 },
  );
  const members = root === undefined ? others : [root, ...others];
  return { members: members.slice(0, limit), capped: members.length > limit };
}
