import {
  trendSpan,
  type Compared,
  type ConcurrencyTrend,
  type DurationTrend,
  type HeatMap,
  type HourOfWeek,
  type HoursQuestion,
  type QueueTrends,
  type TaskTrends,
  type Throughput,
  type TrendNotes,
  type TrendQuestion,
  type Trends,
  type TrendScopes,
  type WorkerTrends,
} from '@meadow/api';
import {
  busiestHours,
  concurrencyTrend,
  durationTrend,
  ingestGaps,
  ingestLoss,
  markList,
  queueTrends,
  runtimeHeatMap,
  taskTrends,
  throughput,
  trendScopes,
  workerTrends,
  type AskOptions,
  type Store,
  type TrendInput,
} from '@meadow/store';
import { ASK_TIMEOUT_MS, Asking } from './asking.ts';
import type { Telemetry } from './telemetry.ts';

const KEEP_MS = 1_000;
const SCOPES_KEEP_MS = 10_000;
const OPTIONS: AskOptions = { timeoutMs: ASK_TIMEOUT_MS };

/** Trends of the store behind the API's port. What many browsers ask alike is asked once a second. */
export class StoreTrends implements Trends {
  readonly #store: Store;
  readonly #asking: Asking;
  readonly #now: () => number;

  /** @param now Unix seconds */
  constructor(store: Store, telemetry: Telemetry, now: () => number) {
    this.#store = store;
    this.#asking = new Asking(telemetry);
    this.#now = now;
  }

  throughput(question: TrendQuestion): Promise<Compared<Throughput>> {
    return this.#compare('throughput', question, throughput);
  }

  durations(question: TrendQuestion): Promise<Compared<DurationTrend>> {
    return this.#compare('durations', question, durationTrend);
  }

  concurrency(question: TrendQuestion): Promise<Compared<ConcurrencyTrend>> {
    return this.#compare('concurrency', question, concurrencyTrend);
  }

  tasks(question: TrendQuestion): Promise<TaskTrends> {
    return this.#ask('tasks', question, KEEP_MS, (input) => taskTrends(this.#store, input, OPTIONS));
  }

  queues(question: TrendQuestion): Promise<QueueTrends> {
    return this.#ask('queues', question, KEEP_MS, (input) => queueTrends(this.#store, input, OPTIONS));
  }

  workers(question: TrendQuestion): Promise<WorkerTrends> {
    return this.#ask('workers', question, KEEP_MS, (input) => workerTrends(this.#store, input, OPTIONS));
  }

  heatMap(question: TrendQuestion): Promise<HeatMap> {
    return this.#ask('heat map', question, KEEP_MS, (input) => runtimeHeatMap(this.#store, input, OPTIONS));
  }

  hours(question: HoursQuestion): Promise<readonly HourOfWeek[]> {
    const { timeZone } = question;
    return this.#ask('hours', question, KEEP_MS, (input) => busiestHours(this.#store, { ...input, timeZone }, OPTIONS));
  }

  scopes(question: TrendQuestion): Promise<TrendScopes> {
    return this.#ask('scopes', question, SCOPES_KEEP_MS, (input) => trendScopes(this.#store, input, OPTIONS));
  }

  async notes(question: TrendQuestion): Promise<TrendNotes> {
    const { from, to, gaps, loss } = await this.#ask(
      'notes',
      question,
      KEEP_MS,
      async ({ cluster, from, to, bucketSeconds }) => {
        const [gaps, loss] = await Promise.all([
          ingestGaps(this.#store, { cluster, from, to, limit: 100 }, OPTIONS),
          ingestLoss(this.#store, { cluster, from, to, bucketSeconds }, OPTIONS),
        ]);
        return { from, to, gaps, loss };
      },
    );
    // asked every time: who has just made a mark looks for it
    const { cluster } = question;
    const marks = await this.#asking.ask('marks', () => markList(this.#store, { cluster, from, to }, OPTIONS));
    return { from, to, marks, gaps, loss };
  }

  #compare<Answer>(
    what: string,
    question: TrendQuestion,
    ask: (store: Store, input: TrendInput, options: AskOptions) => Promise<Answer>,
  ): Promise<Compared<Answer>> {
    return this.#ask(what, question, KEEP_MS, async (input) => {
      const before = { ...input, from: input.from - (input.to - input.from), to: input.from };
      const [now, past] = await Promise.all([
        ask(this.#store, input, OPTIONS),
        question.compare ? ask(this.#store, before, OPTIONS) : null,
      ]);
      return { now, before: past };
    });
  }

  #ask<Answer>(
    what: string,
    question: TrendQuestion | HoursQuestion,
    keepMs: number,
    work: (input: TrendInput) => Promise<Answer>,
  ): Promise<Answer> {
    return this.#asking.shared(`trend ${what}`, JSON.stringify(question), keepMs, () => {
      const { cluster, task, queue, worker, pool } = question;
      return work({ cluster, task, queue, worker, pool, ...trendSpan(question, this.#now()) });
    });
  }
}
