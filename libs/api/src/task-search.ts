import {
  clusterName,
  MOST_QUERY_LENGTH,
  parseTaskQuery,
  SEEN_FIELDS,
  TaskQueryError,
  type TaskQuery,
} from '@meadow/contract';
import { z } from 'zod';
import { ApiError } from './errors.ts';
import { range, shortText, unixSeconds } from './inputs.ts';
import { rangeSeconds } from './range.ts';

/** By what tasks are listed. */
const SORTS = [
  ...['seen', 'started', 'finished', 'updated', 'runtime', 'wait', 'retries'],
  ...['name', 'state', 'queue', 'worker'],
] as const;

const selection = z.strictObject({
  cluster: clusterName.optional(),
  /** In the language of docs/search.md; '' and none let every task through. */
  query: z.string().max(MOST_QUERY_LENGTH, `at most ${MOST_QUERY_LENGTH} characters`).optional(),
  /** First seen in this range up to now; `from` and `to` say it exactly. */
  range: range.optional(),
  from: unixSeconds.optional(),
  to: unixSeconds.optional(),
});

const inOrder = ({ from, to }: { from?: number | undefined; to?: number | undefined }): boolean =>
  from === undefined || to === undefined || from < to;
const ORDER = 'from must lie before to';
const saidOnce = ({ from, range: named }: { from?: unknown; range?: unknown }): boolean =>
  from === undefined || named === undefined;
const ONCE = 'use either range or from';

/** Which tasks: of these, without a range or a time, all that are kept. */
export const taskSelection = selection.refine(inOrder, ORDER).refine(saidOnce, ONCE);
export type TaskSelection = z.output<typeof taskSelection>;

export const tasksInput = selection
  .extend({
    sort: z
      .strictObject({ by: z.enum(SORTS, `use one of ${SORTS.join(', ')}`), desc: z.boolean() })
      .default({ by: 'seen', desc: true }),
    cursor: shortText(4000).optional(),
    limit: z.int().min(1, 'from 1 to 500').max(500, 'from 1 to 500').default(50),
  })
  .refine(inOrder, ORDER)
  .refine(saidOnce, ONCE);

export const seenValuesInput = z.strictObject({
  cluster: clusterName.optional(),
  field: z.enum(SEEN_FIELDS, `use one of ${SEEN_FIELDS.join(', ')}`),
  /** What is typed so far; values that have it within come after those that begin with it. */
  prefix: z.string().max(500, 'at most 500 characters'),
  range: range.default('24h'),
});

/** Which tasks, with times that no longer depend on now. */
export interface TaskSearch {
  readonly cluster?: string | undefined;
  readonly query: TaskQuery;
  /** First seen in this span, Unix seconds: from included, to excluded. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

export interface TaskOrder {
  readonly by: z.output<typeof tasksInput>['sort']['by'];
  readonly desc: boolean;
}

/** What a selection means at `now`, Unix seconds. @throws ApiError QUERY_INVALID, with the place in the query */
export function taskSearch({ cluster, query = '', range: named, from, to }: TaskSelection, now: number): TaskSearch {
  try {
    const begin = named === undefined ? from : now - rangeSeconds(named);
    return { cluster, query: parseTaskQuery(query, now), from: begin, to };
  } catch (error) {
    if (!(error instanceof TaskQueryError)) throw error;
    const { position, length, message } = error;
    throw new ApiError('QUERY_INVALID', message, error, { position, length });
  }
}
