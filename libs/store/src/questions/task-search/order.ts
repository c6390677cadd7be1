import { z } from 'zod';
import { StoreError } from '../../errors.ts';

/** By what tasks are listed. */
export const TASK_SORTS = [
  ...(['seen', 'started', 'finished', 'updated', 'runtime', 'wait', 'retries'] as const),
  ...(['name', 'state', 'queue', 'worker'] as const),
] as const;
export type TaskSort = (typeof TASK_SORTS)[number];

export interface TaskOrder {
  readonly by: TaskSort;
  readonly desc: boolean;
}

export const NEWEST_FIRST: TaskOrder = { by: 'seen', desc: true };

/** Where a task stands in a list: by its value, then by when it was first seen, its id and its cluster. */
export interface Place {
  /** What it is sorted by: null when that is not known, and in a list by `seen`, which the time itself tells. */
  readonly value: number | string | null;
  readonly micros: number;
  readonly id: string;
  readonly cluster: string;
}

const micros = (column: string): string => `toFloat64(toUnixTimestamp64Micro(${column}))`;

/** Of `tasks_raw AS t`; what may be NULL comes last, whichever way. */
const VALUES: Readonly<
  Record<Exclude<TaskSort, 'seen'>, { readonly sql: string; readonly type: 'Float64' | 'String' }>
> = {
  started: { sql: micros('t.started_at'), type: 'Float64' },
  finished: { sql: micros('t.finished_at'), type: 'Float64' },
  updated: { sql: micros('t.updated_at'), type: 'Float64' },
  runtime: { sql: 't.runtime_seconds', type: 'Float64' },
  wait: { sql: 't.wait_seconds', type: 'Float64' },
  retries: { sql: 'toFloat64(t.retries)', type: 'Float64' },
  name: { sql: 'toString(t.name)', type: 'String' },
  state: { sql: 'toString(t.state)', type: 'String' },
  queue: { sql: 'toString(t.queue)', type: 'String' },
  worker: { sql: 'toString(t.worker)', type: 'String' },
};

/** SQL of an order over `tasks_raw AS t`. */
export interface OrderSql {
  /** What a `Place` has as its value. */
  readonly value: string;
  readonly orderBy: string;
  /** Whether a row lies behind the place of these parameters. */
  readonly after: string;
  readonly params: (after: Place) => Readonly<Record<string, unknown>>;
}

export function orderSql({ by, desc }: TaskOrder): OrderSql {
  const way = desc ? 'DESC' : 'ASC';
  const tie = ['t.first_seen_at', 't.task_id', 't.cluster'];
  const sign = desc ? '<' : '>';
  const tiePlace = "fromUnixTimestamp64Micro({afterMicros:Int64}, 'UTC'), {afterId:String}, {afterCluster:String}";
  const tieParams = ({ micros: afterMicros, id, cluster }: Place) => ({
    ...{ afterMicros, afterId: id, afterCluster: cluster },
  });
  if (by === 'seen') {
    return {
      value: 'NULL',
      orderBy: tie.map((column) => `${column} ${way}`).join(', '),
      after: `(${tie.join(', ')}) ${sign} (${tiePlace})`,
      params: tieParams,
    };
  }
  const { sql, type } = VALUES[by];
  const last = desc ? '-inf' : 'inf';
  const known = type === 'String' ? sql : `ifNull(${sql}, ${last})`;
  return {
    value: sql,
    orderBy: [known, ...tie].map((column) => `${column} ${way}`).join(', '),
    after: `(${[known, ...tie].join(', ')}) ${sign} ({afterValue:${type}}, ${tiePlace})`,
    params: (after) => ({ ...tieParams(after), afterValue: after.value ?? (desc ? -Infinity : Infinity) }),
  };
}

const cursorSchema = z.tuple([
  z.enum(TASK_SORTS),
  z.boolean(),
  z.union([z.number(), z.string(), z.null()]),
  z.int(),
  z.string(),
  z.string(),
]);

export function writePlace({ by, desc }: TaskOrder, { value, micros: at, id, cluster }: Place): string {
  return Buffer.from(JSON.stringify([by, desc, value, at, id, cluster])).toString('base64url');
}

/** @throws StoreError STORE_BAD_CURSOR on one that is not of a list in this order */
export function readPlace(text: string, order: TaskOrder): Place {
  const facts = { operation: 'task list' };
  let place: z.output<typeof cursorSchema>;
  try {
    place = cursorSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
  } catch (error) {
    throw new StoreError('STORE_BAD_CURSOR', 'not a cursor of this list', { ...facts, cause: error });
  }
  const [by, desc, value, at, id, cluster] = place;
  if (by !== order.by || desc !== order.desc) {
    throw new StoreError('STORE_BAD_CURSOR', 'a cursor of the list in another order: begin anew without it', facts);
  }
  if (value !== null && typeof value !== (['name', 'state', 'queue', 'worker'].includes(by) ? 'string' : 'number')) {
    throw new StoreError('STORE_BAD_CURSOR', 'not a cursor of this list', facts);
  }
  return { value, micros: at, id, cluster };
}
