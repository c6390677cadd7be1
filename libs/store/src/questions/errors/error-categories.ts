import { ERROR_CATEGORIES, type ErrorCategory, type ErrorRule } from '@meadow/contract';
import { z } from 'zod';
import type { Store } from '../../store.ts';
import { bucketsOf } from '../buckets.ts';
import { ask, type AskOptions } from '../options.ts';
import { categoryOf } from './category.ts';
import { failuresIn, filled, type FailureFilter } from './source.ts';

export interface ErrorCategoriesInput extends Omit<FailureFilter, 'fingerprint'> {
  readonly rules: readonly ErrorRule[];
  /** Width of a point, whole seconds; widened to an hour where the span is long. */
  readonly bucketSeconds: number;
}

export interface ErrorCategorySeries {
  /** The first bucket, Unix seconds. */
  readonly from: number;
  readonly bucket_seconds: number;
  /** Of each category with failures in the span, most first: their number by bucket. */
  readonly series: readonly {
    readonly category: ErrorCategory;
    readonly failures: number;
    readonly points: readonly number[];
  }[];
}

const row = z.object({ category: z.enum(ERROR_CATEGORIES), bucket_at: z.number(), failures: z.number() });

/** Failures by category over time. A group has one category: that of its newest failure, by the rules given. @throws StoreError */
export async function errorCategories(
  store: Store,
  { rules, bucketSeconds, ...filter }: ErrorCategoriesInput,
  options: AskOptions = {},
): Promise<ErrorCategorySeries> {
  const { sql: source, params, width } = failuresIn(store.database, filter);
  const buckets = bucketsOf(filter, bucketSeconds, width);
  const category = categoryOf(rules, 'g.');
  const rows = await ask(
    store,
    'error categories',
    row,
    `SELECT ${category.sql} AS category, s.bucket_at AS bucket_at, sum(s.failures) AS failures
     FROM (
       SELECT cluster, fingerprint, intDiv(f.at, {bucket:UInt32}) * {bucket:UInt32} AS bucket_at, sum(f.failures) AS failures
       FROM ${source} AS f
       GROUP BY cluster, fingerprint, bucket_at
     ) AS s
     INNER JOIN ${store.database}.error_groups AS g ON g.cluster = s.cluster AND g.fingerprint = s.fingerprint
     GROUP BY category, bucket_at`,
    { ...params, ...category.params, bucket: buckets.bucket },
    options,
  );
  const byCategory = Map.groupBy(rows, (each) => each.category);
  const series = [...byCategory].map(([name, points]) => ({
    category: name,
    failures: points.reduce((sum, point) => sum + point.failures, 0),
    points: filled(
      buckets,
      points.map((point) => [point.bucket_at, point.failures]),
    ),
  }));
  return {
    from: buckets.from,
    bucket_seconds: buckets.bucket,
    series: series.sort((a, b) => b.failures - a.failures || (a.category < b.category ? -1 : 1)),
  };
}
