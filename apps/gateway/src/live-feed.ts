import { ApiError, type LiveFeed, type LiveMessage } from '@meadow/api';
import { liveTasksSubject, liveWorkersSubject, type TaskListRow, type WorkerRow } from '@meadow/contract';
import { setTimeout as delay } from 'node:timers/promises';
import type { RowIdentity } from './row-buffer.ts';
import type { Telemetry } from './telemetry.ts';
import { Topics, Viewer, type OpenSubject } from './topic.ts';

/** Least time between two messages to one browser: several clusters' rows travel together. */
const MESSAGE_GAP_MS = 100;
/** Each browser tab holds one or two streams; past this, new ones are turned away rather than all slowed down. */
export const MAX_VIEWERS = 2_000;

const TASKS: RowIdentity<TaskListRow> = {
  keyOf: (row) => `${row.cluster}\n${row.task_id}`,
  // of two aggregators that take turns, the one that left may be heard last
  replaces: (next, held) => next.updated_at >= held.updated_at,
};
const WORKERS: RowIdentity<WorkerRow> = {
  keyOf: (row) => `${row.cluster}\n${row.worker}`,
  replaces: () => true,
};

export interface LiveHubOptions {
  /** Subscribes; null while NATS is away. */
  readonly source: () => OpenSubject | null;
  readonly telemetry: Telemetry;
  /** Unix seconds. */
  readonly now: () => number;
}

/** The live feed of all browsers. Costs NATS one subscription a cluster that anybody looks at. */
export class LiveHub implements LiveFeed {
  readonly #options: LiveHubOptions;
  readonly #viewers = new Set<{ fail(error: Error): void }>();
  readonly #tasks: Topics<TaskListRow>;
  readonly #workers: Topics<WorkerRow>;
  #stopping = false;

  constructor(options: LiveHubOptions) {
    this.#options = options;
    const { telemetry } = options;
    const topicOptions = {
      open: (subject: string, signal: AbortSignal) => this.#source()(subject, signal),
      onInvalid: (subject: string, error: unknown) => telemetry.liveMessageInvalid(subject, error),
      onPushedOut: (rows: number) => telemetry.liveRowsOmitted(rows),
      onEnded: (error: unknown) =>
        this.interrupt(new ApiError('BUS_UNAVAILABLE', 'the live feed from NATS ended', error)),
    };
    this.#tasks = new Topics(topicOptions);
    this.#workers = new Topics(topicOptions);
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  tasks(clusters: readonly string[] | null, signal: AbortSignal): AsyncGenerator<LiveMessage<TaskListRow>, void> {
    return this.#watch(this.#tasks, TASKS, (clusters ?? ['*']).map(liveTasksSubject), signal);
  }

  workers(clusters: readonly string[] | null, signal: AbortSignal): AsyncGenerator<LiveMessage<WorkerRow>, void> {
    return this.#watch(this.#workers, WORKERS, (clusters ?? ['*']).map(liveWorkersSubject), signal);
  }

  /** Ends every stream with an error that tells browsers to connect again. */
  interrupt(error: ApiError): void {
    for (const viewer of this.#viewers) viewer.fail(error);
  }

  /** Ends every stream for good; new ones are turned away. */
  stop(): void {
    this.#stopping = true;
    this.interrupt(stopping());
  }

  async *#watch<Row>(
    topics: Topics<Row>,
    identity: RowIdentity<Row>,
    subjects: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<LiveMessage<Row>, void> {
    if (this.#stopping) throw stopping();
    if (this.#viewers.size >= MAX_VIEWERS)
      throw new ApiError('LIVE_FULL', `${MAX_VIEWERS} live views are open, the most there can be`);
    this.#source();
    const viewer = new Viewer(identity);
    this.#viewers.add(viewer);
    const leave = [...new Set(subjects)].map((subject) => topics.join(subject, viewer));
    this.#tellViewers();
    try {
      // says that the subscription stands: what is fetched after this misses nothing
      let message: LiveMessage<Row> | null = { rows: [], omitted: 0, at: this.#options.now() };
      while (message !== null) {
        const sentAt = performance.now();
        yield message;
        const restMs = MESSAGE_GAP_MS - (performance.now() - sentAt);
        if (restMs > 0) await delay(restMs, undefined, { signal }).catch(() => undefined);
        message = await viewer.next(signal);
      }
    } finally {
      for (const each of leave) each();
      this.#viewers.delete(viewer);
      this.#tellViewers();
    }
  }

  #tellViewers(): void {
    this.#options.telemetry.viewers(this.#viewers.size, this.#tasks.size + this.#workers.size);
  }

  #source(): OpenSubject {
    const source = this.#options.source();
    if (source === null)
      throw new ApiError('BUS_UNAVAILABLE', 'NATS does not answer: nothing live can be shown until it does');
    return source;
  }
}

function stopping(): ApiError {
  return new ApiError('GATEWAY_STOPPING', 'this gateway is stopping');
}
