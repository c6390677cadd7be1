import {
  learnSchedule,
  spanOf,
  type Durations,
  type LearntSchedule,
  type TaskTypeDetail,
  type TaskTypeLine,
  type TaskTypeList,
  type TaskTypeQuestion,
  type TaskTypeQuestions,
  type TaskTypesQuestion,
  type TypeSchedule,
  type UnheardSpan,
} from '@meadow/api';
import type { GapRecord } from '@meadow/contract';
import {
  ingestGaps,
  taskTypeDetail,
  taskTypeList,
  taskTypeRuns,
  taskTypeTimes,
  type Store,
  type TaskTypeRow,
  type TaskTypeRun,
} from '@meadow/store';
import { ASK_TIMEOUT_MS, Asking } from './asking.ts';
import type { Telemetry } from './telemetry.ts';

const LIST_KEEP_MS = 5_000;
/** A schedule is learnt from weeks. */
const SCHEDULE_KEEP_MS = 30_000;
const SCHEDULES_KEEP_MS = 60_000;
const HOUR = 3_600;
const DAY = 24 * HOUR;
/** Looking back in growing steps, seconds: what runs often tells its schedule soon, what runs weekly needs weeks. */
const STEPS = [6 * HOUR, 2 * DAY, 8 * DAY, 40 * DAY];
/** Runs that are enough to stop looking back. */
const ENOUGH_RUNS = 300;
const MOST_GAPS = 500;

/** Tasks by their names, of the store, behind the API's port. */
export class StoreTaskTypes implements TaskTypeQuestions {
  readonly #store: Store;
  readonly #asking: Asking;
  readonly #now: () => number;

  /** @param now Unix seconds */
  constructor(store: Store, telemetry: Telemetry, now: () => number) {
    this.#store = store;
    this.#asking = new Asking(telemetry);
    this.#now = now;
  }

  list({ cluster, range }: TaskTypesQuestion): Promise<TaskTypeList> {
    return this.#asking.shared('task types', `${cluster ?? ''} ${range}`, LIST_KEEP_MS, async () => {
      const options = { timeoutMs: ASK_TIMEOUT_MS };
      const found = await taskTypeList(this.#store, { cluster, ...spanOf(range, this.#now()) }, options);
      const { from, to, bucket_seconds: bucketSeconds } = found;
      return { from, to, bucketSeconds, types: found.types.map(lineOf) };
    });
  }

  schedules({ cluster }: Pick<TaskTypesQuestion, 'cluster'>): Promise<readonly TypeSchedule[]> {
    return this.#asking.shared('task type schedules', cluster ?? '', SCHEDULES_KEEP_MS, async () => {
      const now = this.#now();
      const options = { timeoutMs: ASK_TIMEOUT_MS };
      const { often, seldom } = await taskTypeTimes(this.#store, { cluster, now }, options);
      const range = { cluster, from: now - (STEPS.at(-1) ?? 0), to: now, limit: MOST_GAPS };
      const gaps = await ingestGaps(this.#store, range, options);
      const learnt = new Map<string, TypeSchedule>();
      // what the last two hours tell goes before what minutes tell
      for (const { cluster: of, name, times } of [...often, ...seldom]) {
        const key = `${of}\0${name}`;
        if (learnt.has(key)) continue;
        const ofCluster = gaps.filter((gap) => gap.cluster === of);
        const found = learnSchedule(times, now, ofCluster.map(unheardOf));
        if (found === null) continue;
        const { everySeconds, cron, zone, confidence, lastAt, nextAt, missedCount } = found;
        learnt.set(key, { cluster: of, name, everySeconds, cron, zone, confidence, lastAt, nextAt, missedCount });
      }
      return [...learnt.values()];
    });
  }

  async get(question: TaskTypeQuestion, signal: AbortSignal): Promise<TaskTypeDetail | null> {
    const { cluster, name, range } = question;
    const { types } = await this.list({ cluster, range });
    const line = types.find((each) => each.name === name);
    if (line === undefined) return null;
    const span = spanOf(range, this.#now());
    const options = { signal, timeoutMs: ASK_TIMEOUT_MS };
    const [found, schedule] = await Promise.all([
      this.#asking.ask('task type', () => taskTypeDetail(this.#store, { cluster, name, ...span }, options)),
      this.#asking.shared('task type schedule', `${cluster} ${name}`, SCHEDULE_KEEP_MS, () =>
        this.#schedule(cluster, name),
      ),
    ]);
    const { bucket_seconds: bucketSeconds, series, queues, workers, failures } = found;
    return { line, from: span.from, to: span.to, bucketSeconds, series, queues, workers, failures, schedule };
  }

  async #schedule(cluster: string, name: string): Promise<LearntSchedule | null> {
    const now = this.#now();
    const options = { timeoutMs: ASK_TIMEOUT_MS };
    let runs: readonly TaskTypeRun[] = [];
    let since = now;
    for (const step of STEPS) {
      runs = await taskTypeRuns(this.#store, { cluster, name, from: now - step, limit: ENOUGH_RUNS }, options);
      since = now - step;
      if (runs.length >= ENOUGH_RUNS) break;
    }
    const oldest = runs.at(-1);
    if (oldest === undefined) return null;
    const range = { cluster, from: oldest.at, to: now, limit: MOST_GAPS };
    const gaps = await ingestGaps(this.#store, range, options);
    const unheard = gaps.map(unheardOf);
    const client = mostFrequent(runs.map((run) => run.client));
    // who sends by hand, too, hides the schedule of the one that sends most
    for (const some of [runs, runs.filter((run) => run.client === client)]) {
      const found = learnSchedule(some.map(({ at }) => at), now, unheard); // prettier-ignore
      if (found !== null) return { ...found, client, since };
    }
    return null;
  }
}

const unheardOf = ({ started_at, ended_at }: GapRecord): UnheardSpan => ({ from: started_at, to: ended_at });

function mostFrequent(values: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((most, each) => (each[1] > most[1] ? each : most), ['', 0] as const)[0];
}

function lineOf(row: TaskTypeRow): TaskTypeLine {
  const {
    cluster,
    name,
    received,
    succeeded,
    failed,
    retried,
    revoked,
    rejected,
    queues,
    last_at: lastAt,
    trend,
  } = row;
  const ended = succeeded + failed + revoked + rejected;
  return {
    ...{ cluster, name, received, succeeded, failed, retried, ended, queues, lastAt, trend },
    failedShare: ended === 0 ? null : failed / ended,
    runtime: durations(row.runtime_count, row.runtime_sum, row.runtime_max, row.runtime),
    wait: durations(row.wait_count, row.wait_sum, row.wait_max, row.wait),
  };
}

function durations(count: number, sum: number, max: number, [p50, p95, p99]: TaskTypeRow['runtime']): Durations {
  if (count === 0) return { count, mean: null, max: null, p50: null, p95: null, p99: null };
  return { count, mean: sum / count, max, p50, p95, p99 };
}
