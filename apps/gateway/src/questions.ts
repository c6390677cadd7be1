import {
  rangeSeconds,
  spanOf,
  type AuditPage,
  type AuditQuestion,
  type AuditSelection,
  type ClusterLoss,
  type ClusterSummary,
  type KnownTask,
  type Overview,
  type RangeQuestion,
  type SeenValue,
  type SeenValuesQuestion,
  type QueueTrend,
  type QueueTrendQuestion,
  type Questions,
  type SpanQuestion,
  type StoreInfo,
  type StoreLoad,
  type TaskFacets,
  type TaskPage,
  type TaskQuestion,
  type TaskSearch,
  type TasksQuestion,
  type ToldTasksQuestion,
  type WorkerDetail,
  type WorkerLine,
  type WorkerQuestion,
} from '@meadow/api';
import {
  type AuditRow,
  type GapRecord,
  type PoisonRecord,
  type QueueRow,
  type TaskEventRow,
  type TaskRow,
} from '@meadow/contract';
import {
  auditExport,
  auditList,
  auditRequest,
  clusterSummaries,
  dbInfo,
  ingestGaps,
  ingestLoss,
  overview,
  ping,
  poisonList,
  queueHistory,
  queueList,
  seenValues,
  storeLoad,
  taskDetail,
  taskEvents,
  taskExport,
  taskFacets,
  taskList,
  toldTasks,
  workerHistory,
  workerList,
  type Store,
} from '@meadow/store';
import { ASK_TIMEOUT_MS, Asking } from './asking.ts';
import type { Telemetry } from './telemetry.ts';

/** Of counts: what was counted by then is told, with the word that there may be more. */
const FACETS_TIMEOUT_MS = 3_000;
/** Of a page of an export: somebody waits for a file. */
const EXPORT_TIMEOUT_MS = 15_000;
/** Of the questions that tell how the store itself is doing. */
const STATUS_TIMEOUT_MS = 1_000;
const KEEP_MS = 1_000;
const VALUES_KEEP_MS = 10_000;

/** The store behind the API's port. What many browsers ask alike is asked once a second. */
export class StoreQuestions implements Questions {
  readonly #store: Store;
  readonly #asking: Asking;
  readonly #now: () => number;
  readonly #poolOf: (cluster: string, worker: string) => string;

  /**
   * @param now Unix seconds
   * @param poolOf by the rules of the worker's cluster
   */
  constructor(
    store: Store,
    telemetry: Telemetry,
    now: () => number,
    poolOf: (cluster: string, worker: string) => string,
  ) {
    this.#store = store;
    this.#asking = new Asking(telemetry);
    this.#now = now;
    this.#poolOf = poolOf;
  }

  overview({ cluster, range }: RangeQuestion): Promise<Overview> {
    return this.#asking.shared('overview', `${cluster ?? ''} ${range}`, KEEP_MS, async () => {
      const { from, to, bucketSeconds } = spanOf(range, this.#now());
      const options = { timeoutMs: ASK_TIMEOUT_MS };
      const [now, before, gaps, loss, summaries] = await Promise.all([
        overview(this.#store, { cluster, from, to, bucketSeconds }, options),
        overview(this.#store, { cluster, from: from - (to - from), to: from, bucketSeconds, top: 1 }, options),
        ingestGaps(this.#store, { cluster, from, to, limit: 100 }, options),
        ingestLoss(this.#store, { cluster, from, to, bucketSeconds }, options),
        this.clusterSummaries(),
      ]);
      const { counts, runtime, wait, states, series, failing } = now;
      const previous = { counts: before.counts, runtime: before.runtime, wait: before.wait };
      const running = [...summaries].reduce(
        (sum, [name, { running: some }]) => sum + (name === (cluster ?? name) ? some : 0),
        0,
      );
      return {
        from,
        to,
        bucketSeconds: now.bucket_seconds,
        counts,
        runtime,
        wait,
        states,
        series,
        failing,
        previous,
        running,
        gaps,
        loss,
      };
    });
  }

  clusterSummaries(): Promise<ReadonlyMap<string, ClusterSummary>> {
    return this.#asking.shared('cluster summaries', '', KEEP_MS, async () => {
      const rows = await clusterSummaries(this.#store, { now: this.#now() }, { timeoutMs: ASK_TIMEOUT_MS });
      return new Map(rows.map(({ cluster, ...summary }) => [cluster, summary]));
    });
  }

  tasks(question: TasksQuestion, signal: AbortSignal): Promise<TaskPage> {
    return this.#asking.ask('task list', () => taskList(this.#store, question, { signal, timeoutMs: ASK_TIMEOUT_MS }));
  }

  task(question: TaskQuestion, signal: AbortSignal): Promise<TaskRow | null> {
    return this.#asking.ask('task', async () => {
      const rows = await taskDetail(this.#store, question, { signal, timeoutMs: ASK_TIMEOUT_MS });
      return rows[0] ?? null;
    });
  }

  taskEvents(question: TaskQuestion, signal: AbortSignal): Promise<readonly TaskEventRow[]> {
    return this.#asking.ask('task events', () =>
      taskEvents(this.#store, question, { signal, timeoutMs: ASK_TIMEOUT_MS }),
    );
  }

  facets(search: TaskSearch, signal: AbortSignal): Promise<TaskFacets> {
    return this.#asking.ask('task facets', async () => {
      const began = performance.now();
      const { total, exact, ...counted } = await taskFacets(this.#store, search, {
        signal,
        timeoutMs: FACETS_TIMEOUT_MS,
      });
      return { total: { count: total, exact }, ...counted, seconds: (performance.now() - began) / 1000 };
    });
  }

  values({ cluster, field, prefix, range }: SeenValuesQuestion): Promise<readonly SeenValue[]> {
    return this.#asking.shared('seen values', `${cluster ?? ''} ${field} ${range} ${prefix}`, VALUES_KEEP_MS, () => {
      const from = this.#now() - rangeSeconds(range);
      return seenValues(this.#store, { cluster, field, part: prefix, from }, { timeoutMs: ASK_TIMEOUT_MS });
    });
  }

  toldTasks(question: ToldTasksQuestion, signal: AbortSignal): Promise<ReadonlyMap<string, KnownTask>> {
    return this.#asking.ask('told tasks', () =>
      toldTasks(this.#store, question, { signal, timeoutMs: ASK_TIMEOUT_MS }),
    );
  }

  queues({ cluster }: { readonly cluster?: string | undefined }): Promise<readonly QueueRow[]> {
    return this.#asking.shared('queues', cluster ?? '', KEEP_MS, () =>
      queueList(this.#store, { cluster, now: this.#now() }, { timeoutMs: ASK_TIMEOUT_MS }),
    );
  }

  queueTrend({ cluster, queue, range }: QueueTrendQuestion, signal: AbortSignal): Promise<QueueTrend> {
    const span = spanOf(range, this.#now());
    return this.#asking.ask('queue trend', () =>
      queueHistory(this.#store, { cluster, queue, ...span }, { signal, timeoutMs: ASK_TIMEOUT_MS }),
    );
  }

  workers({ cluster }: { readonly cluster?: string | undefined }): Promise<readonly WorkerLine[]> {
    return this.#asking.shared('workers', cluster ?? '', KEEP_MS, async () => {
      const rows = await workerList(this.#store, { cluster, now: this.#now() }, { timeoutMs: ASK_TIMEOUT_MS });
      // of workers that never said a word of themselves the store knows no pool
      return rows.map((row) => (row.pool === '' ? { ...row, pool: this.#poolOf(row.cluster, row.worker) } : row));
    });
  }

  async worker({ cluster, worker, range }: WorkerQuestion, signal: AbortSignal): Promise<WorkerDetail | null> {
    const span = spanOf(range, this.#now());
    const [rows, history] = await Promise.all([
      this.workers({ cluster }),
      this.#asking.ask('worker history', () =>
        workerHistory(this.#store, { cluster, worker, ...span }, { signal, timeoutMs: ASK_TIMEOUT_MS }),
      ),
    ]);
    const row = rows.find((each) => each.worker === worker);
    return row === undefined ? null : { worker: row, ...span, ...history };
  }

  gaps(question: SpanQuestion, signal: AbortSignal): Promise<readonly GapRecord[]> {
    return this.#asking.ask('gaps', () => ingestGaps(this.#store, question, { signal, timeoutMs: ASK_TIMEOUT_MS }));
  }

  poison(question: SpanQuestion, signal: AbortSignal): Promise<readonly PoisonRecord[]> {
    return this.#asking.ask('poison', () => poisonList(this.#store, question, { signal, timeoutMs: ASK_TIMEOUT_MS }));
  }

  loss({ cluster, range }: RangeQuestion): Promise<readonly ClusterLoss[]> {
    return this.#asking.shared('loss', `${cluster ?? ''} ${range}`, KEEP_MS, () =>
      ingestLoss(this.#store, { cluster, ...spanOf(range, this.#now()) }, { timeoutMs: ASK_TIMEOUT_MS }),
    );
  }

  audit(question: AuditQuestion, signal: AbortSignal): Promise<AuditPage> {
    return this.#asking.ask('audit', () => auditList(this.#store, question, { signal, timeoutMs: ASK_TIMEOUT_MS }));
  }

  auditRequest(
    question: { readonly cluster: string; readonly requestId: string },
    signal: AbortSignal,
  ): Promise<readonly AuditRow[]> {
    return this.#asking.ask('audit request', () =>
      auditRequest(this.#store, question, { signal, timeoutMs: ASK_TIMEOUT_MS }),
    );
  }

  /** In pages, of which each has its own deadline. @throws ApiError */
  auditExport(selection: AuditSelection, signal: AbortSignal): AsyncGenerator<readonly AuditRow[]> {
    const options = { signal, timeoutMs: EXPORT_TIMEOUT_MS };
    return this.#pages('audit export', auditExport(this.#store, selection, options));
  }

  /** As `auditExport`. */
  taskExport(search: TaskSearch, signal: AbortSignal): AsyncGenerator<readonly TaskRow[]> {
    const options = { signal, timeoutMs: EXPORT_TIMEOUT_MS };
    return this.#pages('task export', taskExport(this.#store, search, options));
  }

  info(): Promise<StoreInfo & { readonly load: StoreLoad | null }> {
    return this.#asking.shared('info', '', KEEP_MS, async () => {
      const options = { timeoutMs: STATUS_TIMEOUT_MS };
      const [{ version, rows, bytes, tables }, load] = await Promise.all([
        dbInfo(this.#store, options),
        storeLoad(this.#store, options),
      ]);
      return { version, rows, bytes, tables, load };
    });
  }

  /** What is wrong with the store; null when it answers. */
  async problem(): Promise<string | null> {
    try {
      await this.#asking.shared('ping', '', KEEP_MS, () => ping(this.#store, AbortSignal.timeout(STATUS_TIMEOUT_MS)));
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async *#pages<Row>(question: string, pages: AsyncGenerator<readonly Row[]>): AsyncGenerator<readonly Row[]> {
    for (;;) {
      const page = await this.#asking.ask(question, () => pages.next());
      if (page.done === true) return;
      yield page.value;
    }
  }
}
