import { clusterName } from '@meadow/contract';
import { z } from 'zod';
import type { Durations } from './answers.ts';
import { range, shortText } from './inputs.ts';
import type { RangeName } from './range.ts';
import type { Schedule } from './schedule/schedule.ts';

/** Tasks by their names. */
export interface TaskTypeQuestions {
  /** Every one that was seen in the last 90 days. */
  list(input: TaskTypesQuestion): Promise<TaskTypeList>;
  /** The schedules that tasks follow, as far as they are learnt quickly; those that follow none are left out. */
  schedules(input: Pick<TaskTypesQuestion, 'cluster'>): Promise<readonly TypeSchedule[]>;
  /** null when no task of that name is known. */
  get(input: TaskTypeQuestion, signal: AbortSignal): Promise<TaskTypeDetail | null>;
}

export interface TaskTypesQuestion {
  readonly cluster?: string | undefined;
  readonly range: RangeName;
}

export interface TaskTypeQuestion {
  readonly cluster: string;
  readonly name: string;
  readonly range: RangeName;
}

/** A task by its name, over a span of time. */
export interface TaskTypeLine {
  readonly cluster: string;
  readonly name: string;
  /** Events of the span, by what they say. */
  readonly received: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly retried: number;
  /** Ended by any end. */
  readonly ended: number;
  /** Of those that ended; null where none did. */
  readonly failedShare: number | null;
  /** Percentiles are of the whole hours that the span touches. */
  readonly runtime: Durations;
  readonly wait: Durations;
  /** By name, at most 20. */
  readonly queues: readonly string[];
  /** Begin of the minute, or hour, in which anything was heard of it last. Unix seconds. */
  readonly lastAt: number;
  /** Ended in each bucket of the span; empty where it was last seen before. */
  readonly trend: readonly number[];
}

export interface TaskTypeList {
  readonly from: number;
  readonly to: number;
  readonly bucketSeconds: number;
  /** By cluster and name, at most 5000. */
  readonly types: readonly TaskTypeLine[];
}

export interface TaskTypePoint {
  /** Unix seconds. */
  readonly at: number;
  readonly received: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly retried: number;
  /** Mean, seconds; null where nothing was measured. */
  readonly runtime: number | null;
  readonly wait: number | null;
}

/** What a queue or a worker had of it. */
export interface TaskTypePart {
  readonly value: string;
  readonly ended: number;
  readonly failed: number;
}

export interface LearntSchedule extends Schedule {
  /** Node name of who sent most of the runs; '' when no event told. */
  readonly client: string;
  /** Unix seconds: since then runs were looked through. */
  readonly since: number;
}

/** A schedule in short. */
export interface TypeSchedule extends Pick<
  Schedule,
  'everySeconds' | 'cron' | 'zone' | 'confidence' | 'lastAt' | 'nextAt' | 'missedCount'
> {
  readonly cluster: string;
  readonly name: string;
}

export interface TaskTypeDetail {
  readonly line: TaskTypeLine;
  readonly from: number;
  readonly to: number;
  readonly bucketSeconds: number;
  /** A point for every bucket. */
  readonly series: readonly TaskTypePoint[];
  /** Most first, at most 20 each. */
  readonly queues: readonly TaskTypePart[];
  readonly workers: readonly TaskTypePart[];
  readonly failures: readonly { readonly exception_type: string; readonly failed: number; readonly last_at: number }[];
  /** As learnt from its runs; null where they follow none. */
  readonly schedule: LearntSchedule | null;
}

export const taskTypesInput = z.strictObject({ cluster: clusterName.optional(), range: range.default('24h') });
export const taskTypeInput = z.strictObject({
  cluster: clusterName,
  name: shortText(1_000),
  range: range.default('24h'),
});
