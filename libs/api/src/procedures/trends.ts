import { procedure, router } from '../trpc.ts';
import {
  hoursInput,
  trendInput,
  type Compared,
  type ConcurrencyTrend,
  type DurationTrend,
  type HeatMap,
  type HourOfWeek,
  type QueueTrends,
  type TaskTrends,
  type Throughput,
  type TrendNotes,
  type TrendScopes,
  type WorkerTrends,
} from '../trends.ts';

export const trends = router({
  /** Task events over time by what they say. */
  throughput: procedure
    .input(trendInput)
    .query(async ({ ctx, input }): Promise<Compared<Throughput>> => ctx.trends.throughput(input)),

  /** How long tasks ran and waited. */
  durations: procedure
    .input(trendInput)
    .query(async ({ ctx, input }): Promise<Compared<DurationTrend>> => ctx.trends.durations(input)),

  /** How many tasks ran and waited at a time. */
  concurrency: procedure
    .input(trendInput)
    .query(async ({ ctx, input }): Promise<Compared<ConcurrencyTrend>> => ctx.trends.concurrency(input)),

  /** Which tasks ran, how long, and how they ended. */
  tasks: procedure.input(trendInput).query(async ({ ctx, input }): Promise<TaskTrends> => ctx.trends.tasks(input)),

  /** How long tasks waited in each queue, the slowest first. */
  queues: procedure.input(trendInput).query(async ({ ctx, input }): Promise<QueueTrends> => ctx.trends.queues(input)),

  /** What each worker did, the busiest first. */
  workers: procedure
    .input(trendInput)
    .query(async ({ ctx, input }): Promise<WorkerTrends> => ctx.trends.workers(input)),

  /** How runtimes were spread over time. */
  heatMap: procedure.input(trendInput).query(async ({ ctx, input }): Promise<HeatMap> => ctx.trends.heatMap(input)),

  /** When most is done, by weekday and hour of a time zone. */
  hours: procedure
    .input(hoursInput)
    .query(async ({ ctx, input }): Promise<readonly HourOfWeek[]> => ctx.trends.hours(input)),

  /** What trends of a span may be narrowed to. */
  scopes: procedure.input(trendInput).query(async ({ ctx, input }): Promise<TrendScopes> => ctx.trends.scopes(input)),

  /** Marks of a span, and where its figures may be too low. */
  notes: procedure.input(trendInput).query(async ({ ctx, input }): Promise<TrendNotes> => ctx.trends.notes(input)),
});
