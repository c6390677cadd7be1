import { z } from 'zod';
import { StoreError } from '../../errors.ts';
import type { Store } from '../../store.ts';
import { ask, type AskOptions } from '../options.ts';
import { conditionsOf, spanOf, type TaskSearch } from './find.ts';
import { Deadline, stretches } from './stretch.ts';

/** By what tasks are counted, and the column that tells it. */
const FACETS = {
  state: 'state',
  name: 'name',
  queue: 'queue',
  worker: 'worker',
  exception: 'exception_type',
} as const;
type FacetField = keyof typeof FACETS;
const FIELDS = Object.keys(FACETS) as readonly FacetField[];

/** Of each facet the most frequent. */
const MOST_VALUES = 50;

export interface TaskFacets {
  readonly total: number;
  /** False where the time was up: counted is what was first seen from `countedFrom` on, and there may be more. */
  readonly exact: boolean;
  /** Unix seconds; null where all was counted. */
  readonly countedFrom: number | null;
  /** Most first, at most 50 of each; what is not known is not among them. */
  readonly facets: readonly {
    readonly field: FacetField;
    readonly values: readonly { readonly value: string; readonly count: number }[];
  }[];
}

const row = z.object({ facet: z.number(), value: z.string(), tasks: z.number() });

/**
 * How many tasks are looked for, and of which kinds, in one go over each stretch of time. What was counted when the deadline
 * passes is told as such. @throws StoreError STORE_TIMEOUT when not even the first stretch was
 */
export async function taskFacets(store: Store, search: TaskSearch, options: AskOptions = {}): Promise<TaskFacets> {
  const deadline = new Deadline(options);
  const counts = FIELDS.map(() => new Map<string, number>());
  const span = await spanOf(store, search, deadline.options());
  let total = 0;
  let countedFrom: number | null = null;
  const { sql, params } = conditionsOf(search, store.database);
  const columns = Object.values(FACETS);
  for (const stretch of span === null ? [] : stretches(span, true)) {
    if (countedFrom !== null && deadline.leftMs === 0) return told(total, counts, countedFrom);
    try {
      const rows = await ask(
        store,
        'task facets',
        row,
        // GROUPING tells by its bits which columns a line is not about
        `SELECT toUInt8(GROUPING(${columns.join(', ')})) AS facet,
           concat(${columns.map((column) => `toString(${column})`).join(', ')}) AS value,
           count() AS tasks
         FROM (
             SELECT ${columns.map((column) => `t.${column} AS ${column}`).join(', ')}
             FROM ${store.database}.tasks_raw AS t FINAL
             WHERE t.first_seen_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
               AND t.first_seen_at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
               AND ${sql}
         )
         GROUP BY GROUPING SETS (${columns.map((column) => `(${column})`).join(', ')}, ())`,
        { ...params, ...stretch },
        deadline.options(),
      );
      for (const { facet, value, tasks } of rows) {
        const index = FACET_BITS.indexOf(facet);
        const counted = counts[index];
        if (counted === undefined) total += tasks;
        else if (value !== '') counted.set(value, (counted.get(value) ?? 0) + tasks);
      }
    } catch (error) {
      const isLate = error instanceof StoreError && error.code === 'STORE_TIMEOUT';
      if (!isLate || countedFrom === null) throw error;
      return told(total, counts, countedFrom);
    }
    countedFrom = stretch.from / 1e6;
  }
  return told(total, counts, null);
}

/** What GROUPING gives for a line about each column alone: a bit for each of the others. */
const FACET_BITS = FIELDS.map((_, index) => (2 ** FIELDS.length - 1) ^ (1 << (FIELDS.length - 1 - index)));

function told(total: number, counts: readonly ReadonlyMap<string, number>[], countedFrom: number | null): TaskFacets {
  const facets = FIELDS.map((field, index) => ({
    field,
    values: Array.from(counts[index] ?? [], ([value, count]) => ({ value, count }))
      .toSorted((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
      .slice(0, MOST_VALUES),
  }));
  return { total, exact: countedFrom === null, countedFrom, facets };
}
