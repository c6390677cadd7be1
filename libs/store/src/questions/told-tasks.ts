import type { ToldTask } from '@meadow/contract';
import { z } from 'zod';
import type { Store } from '../store.ts';
import { ask, type AskOptions } from './options.ts';

/** Of one question: their ids travel in it. */
const MOST_TASKS = 1_000;

export interface ToldTasksInput {
  readonly cluster: string;
  /** At most 1,000. */
  readonly taskIds: readonly string[];
  /** When they were first seen, where that is known: then only those hours are read. Unix seconds, both included. */
  readonly seen?: { readonly from: number; readonly to: number } | undefined;
}

/** A task as far as it can be told for a retry. */
export interface KnownTask {
  readonly state: string;
  /** Null where events did not tell. */
  readonly told: ToldTask;
}

const known = z.string().transform((text) => (text === '' ? null : text));
const row = z.object({
  ...{ task_id: z.string(), state: z.string(), name: known, args: known, kwargs: known, queue: known },
  ...{ exchange: z.string(), routing_key: z.string(), eta: known, expires: known },
});

/** What events told of these tasks, by id; those that are not known are left out. @throws StoreError */
export async function toldTasks(
  store: Store,
  { cluster, taskIds, seen }: ToldTasksInput,
  options: AskOptions = {},
): Promise<ReadonlyMap<string, KnownTask>> {
  if (taskIds.length > MOST_TASKS) throw new RangeError(`${taskIds.length} tasks: ask for at most ${MOST_TASKS}`);
  const micros = (seconds: number): number => Math.round(seconds * 1e6);
  const rows = await ask(
    store,
    'told tasks',
    row,
    // as in task detail: without FINAL the filter on task_id skips what the index rules out
    `SELECT t.task_id AS task_id, t.state AS state, t.name AS name, t.args AS args, t.kwargs AS kwargs, t.queue AS queue,
       t.exchange AS exchange, t.routing_key AS routing_key, t.eta AS eta, t.expires AS expires
     FROM ${store.database}.tasks_raw AS t
     WHERE t.cluster = {cluster:String} AND t.task_id IN {taskIds:Array(String)}
     ${seen === undefined ? '' : WITHIN}
     ORDER BY t.task_id, t.version DESC
     LIMIT 1 BY t.task_id`,
    { cluster, taskIds, from: micros(seen?.from ?? 0), to: micros(seen?.to ?? 0) },
    options,
  );
  return new Map(
    rows.map(({ task_id, state, exchange, routing_key, ...told }) => {
      // '' is an exchange, and a key, too: one alone is not
      const isRouted = exchange !== '' || routing_key !== '';
      const route = isRouted ? { exchange, routingKey: routing_key } : { exchange: null, routingKey: null };
      return [task_id, { state, told: { ...told, ...route } }] as const;
    }),
  );
}

const WITHIN = `AND t.first_seen_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
       AND t.first_seen_at <= fromUnixTimestamp64Micro({to:Int64}, 'UTC')`;
