import { clusterName } from '@meadow/contract';
import { z } from 'zod';
import { RANGES } from './range.ts';

const cluster = clusterName.optional();
export const shortText = (most: number) =>
  z.string().min(1, 'leave it out rather than empty').max(most, `at most ${most} characters`);
export const unixSeconds = z
  .number()
  .min(0, 'use Unix seconds')
  .max(253_402_300_799, 'use Unix seconds, not milliseconds');
export const range = z.enum(RANGES, `use one of ${RANGES.join(', ')}`);

export const clusterInput = z.strictObject({ cluster });
export const overviewInput = z.strictObject({ cluster, range });

export const taskInput = z.strictObject({ cluster: clusterName, taskId: shortText(500) });

export const workerInput = z.strictObject({
  cluster: clusterName,
  worker: shortText(500),
  range: range.default('6h'),
});

export const spanInput = z.strictObject({
  cluster,
  range: range.default('24h'),
  limit: z.int().min(1, 'from 1 to 500').max(500, 'from 1 to 500').default(100),
});

/** `cluster` or `clusters`, or neither: then all. */
export const liveInput = z
  .strictObject({
    cluster,
    clusters: z.array(clusterName).min(1, 'leave it out to see all').max(200, 'at most 200 clusters').optional(),
  })
  .refine((input) => input.cluster === undefined || input.clusters === undefined, 'use either cluster or clusters');
