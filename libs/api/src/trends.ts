import { clusterName, type GapRecord } from '@meadow/contract';
import { z } from 'zod';
import type { ClusterLoss, EventCounts, SeriesPoint } from './answers.ts';
import { shortText, unixSeconds } from './inputs.ts';
import { RANGES, rangeSeconds, type Span } from './range.ts';
import type { Mark } from './marks.ts';

/** The spans up to now that trends may be asked of. */
const TREND_RANGES = [...RANGES, '90d'] as const;
export type TrendRange = (typeof TREND_RANGES)[number];

/** Sketches are kept for so long. */
const LONGEST_SECONDS = 400 * 86_400;
const DAY = 86_400;
/** Widths of a point that people can read off an axis. Hours and days are those that sketches are kept by. */
const WIDTHS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, DAY, 7 * DAY];

const trendScope = {
  cluster: clusterName.optional(),
  task: shortText(1000).optional(),
  queue: shortText(500).optional(),
  worker: shortText(500).optional(),
  pool: shortText(500).optional(),
};

const spanned = {
  range: z.enum(TREND_RANGES, `use one of ${TREND_RANGES.join(', ')}`).optional(),
  from: unixSeconds.optional(),
  to: unixSeconds.optional(),
  /** How many points there is room for. */
  points: z.int().min(10, 'from 10 to 1000').max(1_000, 'from 10 to 1000').default(120),
};

interface Spanned {
  readonly range?: TrendRange | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

const isOneSpan = ({ range, from, to }: Spanned): boolean =>
  range === undefined
    ? from !== undefined && to !== undefined && from < to && to - from <= LONGEST_SECONDS
    : from === undefined && to === undefined;
const ONE_SPAN = 'name a range, or from and to: from before to, at most 400 days apart';

/** A trend of everything, or of what fits all that is named. */
export const trendInput = z
  .strictObject({ ...trendScope, ...spanned, compare: z.boolean().default(false) })
  .refine(isOneSpan, ONE_SPAN);
export type TrendQuestion = Readonly<z.output<typeof trendInput>>;

export const hoursInput = z
  .strictObject({
    ...trendScope,
    ...spanned,
    /** Whose hours, e.g. `Europe/Berlin`. */
    timeZone: shortText(100)
      .refine((zone) => isTimeZone(zone), 'no such time zone')
      .default('UTC'),
  })
  .refine(isOneSpan, ONE_SPAN);
export type HoursQuestion = Readonly<z.output<typeof hoursInput>>;

function isTimeZone(zone: string): boolean {
  // an offset such as +02:00 is one to Intl, and none to ClickHouse
  if (!/^[A-Za-z]/.test(zone)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** The span of a question at `now`, of whole points. */
export function trendSpan(question: Spanned & { readonly points: number }, now: number): Span {
  const { range, points } = question;
  const seconds =
    range === undefined
      ? (question.to ?? now) - (question.from ?? now)
      : range === '90d'
        ? 90 * DAY
        : rangeSeconds(range);
  const bucketSeconds =
    WIDTHS.find((width) => seconds / width <= points) ?? Math.ceil(seconds / points / (30 * DAY)) * 30 * DAY;
  if (range !== undefined) {
    const to = (Math.floor(now / bucketSeconds) + 1) * bucketSeconds;
    return { from: to - Math.ceil(seconds / bucketSeconds) * bucketSeconds, to, bucketSeconds };
  }
  const from = Math.floor((question.from ?? now) / bucketSeconds) * bucketSeconds;
  return { from, to: Math.ceil((question.to ?? now) / bucketSeconds) * bucketSeconds, bucketSeconds };
}

/** What an answer was made of: counts and sketches that are kept, or every single event. */
export type TrendSource = 'rollup' | 'events';

/** Task events over time by what they say. */
export interface Throughput {
  /** Width of a point, seconds. */
  readonly bucket_seconds: number;
  readonly source: TrendSource;
  readonly total: EventCounts;
  readonly series: readonly SeriesPoint[];
}

/** Seconds. Percentiles of events are exact, those of sketches lie between 1 % below and 3 % above; null: not known. */
export interface Spread {
  readonly count: number;
  readonly avg: number | null;
  readonly max: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface DurationPoint {
  readonly at: number;
  readonly runtime: Spread;
  readonly wait: Spread;
}

export interface DurationTrend {
  readonly bucket_seconds: number;
  /** null: the scope has no sketches, and too many events to read them all. */
  readonly percentiles: TrendSource | null;
  readonly total: Omit<DurationPoint, 'at'>;
  readonly series: readonly DurationPoint[];
}

export interface ConcurrencyPoint {
  readonly at: number;
  /** Tasks run, and tasks that wait, at a time: seconds of it by those of the bucket, counted where it ended. */
  readonly busy: number;
  readonly waiting: number;
  /** What workers said that they run, mean, all together; null where none said it. */
  readonly active: number | null;
  readonly workers: number;
}

export interface ConcurrencyTrend {
  readonly bucket_seconds: number;
  readonly busy_seconds: number;
  readonly wait_seconds: number;
  /** Whether workers tell of the scope; they do not tell of tasks and queues. */
  readonly told_by_workers: boolean;
  readonly series: readonly ConcurrencyPoint[];
}

export interface TaskTrendLine {
  readonly name: string;
  readonly received: number;
  readonly started: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly retried: number;
  readonly busy_seconds: number;
  readonly runtime_avg: number | null;
  readonly runtime_max: number | null;
  readonly wait_avg: number | null;
  readonly wait_max: number | null;
  readonly runtime_p50: number | null;
  readonly runtime_p95: number | null;
  readonly runtime_p99: number | null;
  readonly wait_p95: number | null;
  /** Ended, a number for each bucket. */
  readonly ended: readonly number[];
}

export interface TaskTrends {
  readonly bucket_seconds: number;
  /** `rollup`: of whole hours; null: there are none in this scope. */
  readonly percentiles: TrendSource | null;
  /** Most first by what ended; at most 500. */
  readonly tasks: readonly TaskTrendLine[];
  readonly omitted: number;
}

export interface QueueTrendLine {
  readonly cluster: string;
  readonly queue: string;
  readonly started: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly wait_avg: number | null;
  readonly wait_max: number | null;
  readonly wait_p95: number | null;
  readonly wait_seconds: number;
  readonly busy_seconds: number;
  readonly ready_avg: number | null;
  readonly ready_max: number | null;
  readonly oldest_age_seconds: number | null;
  /** Mean wait, a number for each bucket; null where nothing was started. */
  readonly wait: readonly (number | null)[];
}

export interface QueueTrends {
  readonly bucket_seconds: number;
  readonly percentiles: TrendSource | null;
  /** The slowest first, by mean wait; at most 500. */
  readonly queues: readonly QueueTrendLine[];
}

export interface WorkerTrendLine {
  readonly cluster: string;
  readonly worker: string;
  readonly started: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly retried: number;
  readonly busy_seconds: number;
  /** Tasks run at a time, mean over the span. */
  readonly busy: number;
  readonly active_avg: number | null;
  readonly active_max: number | null;
  readonly load_avg: number | null;
  readonly load_max: number | null;
  /** Ended, a number for each bucket. */
  readonly ended: readonly number[];
}

export interface WorkerTrends {
  readonly bucket_seconds: number;
  /** The busiest first; at most 500. */
  readonly workers: readonly WorkerTrendLine[];
}

/** Runtimes over time: a row begins at 2 to the power of its number of seconds, and ends where the next begins. */
export interface HeatMap {
  readonly bucket_seconds: number;
  /** `rollup`: right to half a percent of a column; null: the scope has no sketches, and too many events. */
  readonly source: TrendSource | null;
  readonly from: number;
  readonly to: number;
  /** Cells that are not empty. */
  readonly cells: readonly { readonly at: number; readonly row: number; readonly tasks: number }[];
}

export interface HourOfWeek {
  /** 1 = Monday. */
  readonly weekday: number;
  readonly hour: number;
  readonly started: number;
  readonly ended: number;
  readonly failed: number;
  readonly busy_seconds: number;
}

/** Each in order, at most 500. */
export interface TrendScopes {
  readonly tasks: readonly string[];
  readonly queues: readonly string[];
  readonly workers: readonly string[];
  readonly pools: readonly string[];
}

/** What there is to know of a span besides its figures. */
export interface TrendNotes {
  readonly from: number;
  readonly to: number;
  readonly marks: readonly Mark[];
  /** Spans in which figures may be too low. */
  readonly gaps: readonly GapRecord[];
  readonly loss: readonly ClusterLoss[];
}

/** A span beside the one of the same length before it. */
export interface Compared<Answer> {
  readonly now: Answer;
  /** null where it was not asked for. */
  readonly before: Answer | null;
}

/** What happened over time. Every question ends by its own deadline, with an ApiError. */
export interface Trends {
  throughput(question: TrendQuestion): Promise<Compared<Throughput>>;
  durations(question: TrendQuestion): Promise<Compared<DurationTrend>>;
  concurrency(question: TrendQuestion): Promise<Compared<ConcurrencyTrend>>;
  tasks(question: TrendQuestion): Promise<TaskTrends>;
  queues(question: TrendQuestion): Promise<QueueTrends>;
  workers(question: TrendQuestion): Promise<WorkerTrends>;
  heatMap(question: TrendQuestion): Promise<HeatMap>;
  hours(question: HoursQuestion): Promise<readonly HourOfWeek[]>;
  scopes(question: TrendQuestion): Promise<TrendScopes>;
  notes(question: TrendQuestion): Promise<TrendNotes>;
}
