import type { ErrorCategory, ErrorRule, ErrorStatus } from '@meadow/contract';
import { ERROR_CATEGORIES, ERROR_STATUSES } from '@meadow/contract';
import { z } from 'zod';
import { seconds } from '../../columns.ts';
import type { Store } from '../../store.ts';
import { bucketsOf } from '../buckets.ts';
import { ask, limitOf, type AskOptions } from '../options.ts';
import { categoryOf } from './category.ts';
import { failuresIn, filled, type FailureFilter } from './source.ts';

/** By what groups are ordered, the most or the newest first. `rise`: failures in the newer half of the span less those in the older. */
export const ERROR_ORDERS = ['failures', 'last_seen', 'first_seen', 'rise'] as const;
export type ErrorOrder = (typeof ERROR_ORDERS)[number];

export interface ErrorGroupsInput extends Omit<FailureFilter, 'fingerprint'> {
  readonly rules: readonly ErrorRule[];
  /** Empty or left out: of every one. */
  readonly statuses?: readonly ErrorStatus[] | undefined;
  readonly categories?: readonly ErrorCategory[] | undefined;
  /** Substring of class, message, culprit or fingerprint, ignoring case. */
  readonly text?: string | undefined;
  /** @default 'failures' */
  readonly order?: ErrorOrder | undefined;
  /** 1 to 500. @default 100 */
  readonly limit?: number | undefined;
  /** Points of a trend, about. @default 40 */
  readonly points?: number | undefined;
}

const names = z.array(z.string());

/** A group of failures with the same cause. Times are Unix seconds. */
export const errorGroupRow = z.object({
  cluster: z.string(),
  fingerprint: z.string(),
  /** of the newest failure, as in every text */
  exception_type: z.string(),
  message: z.string(),
  culprit: z.string(),
  name: z.string(),
  first_seen_at: z.number(),
  last_seen_at: z.number(),
  category: z.enum(ERROR_CATEGORIES),
  status: z.enum(ERROR_STATUSES),
  /** it failed again after it was resolved */
  regressed: z.boolean(),
  /** when its status was last said, and by whom; null when it never was */
  status_at: z.number().nullable(),
  status_by: z.string(),
  assignee: z.string(),
  note: z.string(),
});
export type ErrorGroupRow = z.output<typeof errorGroupRow>;

/** A group as a line of a list: what happened in the span. */
const lineRow = errorGroupRow.extend({
  failures: z.number(),
  retried: z.number(),
  lost: z.number(),
  /** tasks by name, at most 5, and how many there are; and so for queues and workers */
  names,
  name_count: z.number(),
  queue_count: z.number(),
  worker_count: z.number(),
});
export type ErrorGroupLine = z.output<typeof lineRow> & {
  /** Failures by bucket, zero where none happened. */
  readonly trend: readonly number[];
};

export interface ErrorGroupList {
  readonly groups: readonly ErrorGroupLine[];
  /** The first bucket of every trend, Unix seconds, and their width. */
  readonly from: number;
  readonly bucket_seconds: number;
  /** Groups and failures of the span by status and category, before these two are chosen. */
  readonly totals: readonly {
    readonly status: ErrorStatus;
    readonly category: ErrorCategory;
    readonly groups: number;
    readonly failures: number;
  }[];
}

const GROUP_TEXTS = ['cluster', 'fingerprint', 'exception_type', 'message', 'culprit', 'name', 'assignee', 'note'];
/** Of `error_groups AS g`, without the category. */
export const groupColumns = [...GROUP_TEXTS, 'status', 'regressed', 'status_by']
  .map((column) => `g.${column} AS ${column}`)
  .concat(['first_seen_at', 'last_seen_at', 'status_at'].map((column) => `${seconds(`g.${column}`)} AS ${column}`))
  .join(', ');

const ORDERS: Readonly<Record<ErrorOrder, string>> = {
  failures: 'failures DESC, last_seen_at DESC',
  last_seen: 'last_seen_at DESC, failures DESC',
  first_seen: 'first_seen_at DESC, failures DESC',
  rise: 'rise DESC, failures DESC',
};

const totalRow = z.object({
  status: z.enum(ERROR_STATUSES),
  category: z.enum(ERROR_CATEGORIES),
  groups: z.number(),
  failures: z.number(),
});

/** Groups that failed in a span, as they stand now. @throws StoreError */
export async function errorGroups(
  store: Store,
  {
    rules,
    statuses = [],
    categories = [],
    text = '',
    order = 'failures',
    limit,
    points = 40,
    ...filter
  }: ErrorGroupsInput,
  options: AskOptions = {},
): Promise<ErrorGroupList> {
  const { sql: source, params, width } = failuresIn(store.database, filter);
  const buckets = bucketsOf(filter, (filter.to - filter.from) / points, width);
  const category = categoryOf(rules, 'g.');
  const found = `
    FROM (
      SELECT b.cluster AS cluster, b.fingerprint AS fingerprint, sum(b.failures) AS failures, sum(b.retried) AS retried,
             sum(b.lost) AS lost, groupUniqArrayArray(1000)(b.names) AS names, uniqMerge(b.queues) AS queue_count,
             uniqMerge(b.workers) AS worker_count, groupArray((b.bucket_at, b.failures)) AS trend,
             sum(if(b.bucket_at >= {middle:UInt32}, 1, -1) * toInt64(b.failures)) AS rise
      FROM (
        SELECT f.cluster AS cluster, f.fingerprint AS fingerprint,
               intDiv(f.at, {bucket:UInt32}) * {bucket:UInt32} AS bucket_at, sum(f.failures) AS failures,
               sum(f.retried) AS retried, sum(f.lost) AS lost, groupUniqArray(1000)(f.name) AS names,
               uniqState(f.queue) AS queues, uniqState(f.worker) AS workers
        FROM ${source} AS f
        GROUP BY cluster, fingerprint, bucket_at
      ) AS b
      GROUP BY cluster, fingerprint
    ) AS s
    INNER JOIN ${store.database}.error_groups AS g ON g.cluster = s.cluster AND g.fingerprint = s.fingerprint
    WHERE ({cluster:String} = '' OR g.cluster = {cluster:String}) AND ({text:String} = ''
      OR arrayExists(told -> positionCaseInsensitiveUTF8(told, {text:String}) > 0,
                     [g.exception_type, g.message, g.culprit, g.fingerprint]))`;
  const asked = {
    ...{ cluster: '', ...params, ...category.params, text, statuses, categories, bucket: buckets.bucket },
    ...{ middle: Math.floor((buckets.from + buckets.to) / 2), limit: limitOf(limit, 100, 500) },
  };
  const [rows, totals] = await Promise.all([
    ask(
      store,
      'error groups',
      lineRow.extend({ trend: z.array(z.tuple([z.number(), z.number()])) }),
      `SELECT ${groupColumns}, ${category.sql} AS category, s.failures AS failures, s.retried AS retried, s.lost AS lost,
              arraySlice(arraySort(s.names), 1, 5) AS names, length(s.names) AS name_count, s.queue_count AS queue_count,
              s.worker_count AS worker_count, s.trend AS trend, s.rise AS rise
       ${found}
         AND (empty({statuses:Array(String)}) OR status IN {statuses:Array(String)})
         AND (empty({categories:Array(String)}) OR category IN {categories:Array(String)})
       ORDER BY ${ORDERS[order]}, cluster, fingerprint
       LIMIT {limit:UInt32}`,
      asked,
      options,
    ),
    ask(
      store,
      'error totals',
      totalRow,
      `SELECT g.status AS status, ${category.sql} AS category, count() AS groups, sum(s.failures) AS failures
       ${found}
       GROUP BY status, category
       ORDER BY status, category`,
      asked,
      options,
    ),
  ]);
  return {
    groups: rows.map(({ trend, ...row }) => ({ ...row, trend: filled(buckets, trend) })),
    from: buckets.from,
    bucket_seconds: buckets.bucket,
    totals,
  };
}
