import { CeleryDecodeError, decodeStoredResult, type StoredResult } from '@meadow/celery';
import {
  BrokerConfigError,
  openResultSource,
  parseResultBackend,
  type BrokerStatus,
  type ResultDelivery,
  type ResultSource,
} from '@meadow/broker';
import type { Requests } from '@meadow/bus';
import {
  askResultsSubject,
  eventId,
  partitionOf,
  resultsQuestion,
  type ClusterDefinition,
  type ResultsAnswer,
  type ResultsStatus,
  type TaskEventFields,
  type Mask,
} from '@meadow/contract';
import { setTimeout as delay } from 'node:timers/promises';
import { LONGEST_TEXT, shortened } from './row.ts';
import type { Publisher } from './publisher.ts';
import type { Telemetry } from './telemetry.ts';

export interface ResultsOptions {
  readonly definition: ClusterDefinition;
  readonly publisher: Publisher;
  readonly mask: Mask;
  readonly requests: Requests;
  readonly telemetry: Telemetry;
  readonly clientName: string;
  readonly onStatus: (status: ResultsStatus | null) => void;
}

/** A result is collected in full up to here, so that with all else its row fits a message of NATS. Bytes of UTF-8. */
const LONGEST_RESULT = 262_144;
/** States on the way come by the thousand: of each task the newest goes on, so often. */
const ON_THE_WAY_MS = 1_000;
/** Tasks of which one may wait; past it they go on at once. */
const MAX_ON_THE_WAY = 50_000;
/** An answer waits so long for the results it speaks of to be on disk in NATS. */
const PUBLISH_MS = 5_000;
/** Ends, as the backend tells them. */
const ENDED = new Set(['SUCCESS', 'FAILURE', 'REVOKED']);
/** Told by Celery's events already, with more. */
const OF_NO_USE = new Set(['PENDING', 'RECEIVED', 'STARTED', 'RETRY']);

/**
 * Reads the results of a cluster, where its definition names a result backend that can be read: each end, in full, and the
 * states on the way go into the events stream as `meadow-result-…` events. Also answers which of some tasks have ended.
 * Nothing that the backend does or fails to do reaches the cluster's events.
 */
export function openResults(options: ResultsOptions): AsyncDisposable {
  return new Results(options);
}

class Results implements AsyncDisposable {
  readonly #options: ResultsOptions;
  readonly #end = new AbortController();
  readonly #source: ResultSource | null;
  readonly #work: Promise<unknown>;
  readonly #onTheWay = new Map<string, { readonly stored: StoredResult; readonly heardAt: number }>();
  #status: ResultsStatus | null = null;

  constructor(options: ResultsOptions) {
    this.#options = options;
    this.#source = this.#open();
    const { signal } = this.#end;
    const answers = options.requests.answer(
      askResultsSubject(options.definition.name),
      (question) => this.#answer(resultsQuestion.parse(question).taskIds),
      signal,
    );
    const timer = setInterval(() => this.#release(), ON_THE_WAY_MS);
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
    this.#work = Promise.allSettled([answers, this.#follow()]);
  }

  /** Returns when nothing more is added to the publisher. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#source?.[Symbol.asyncDispose]();
    await this.#work;
    this.#release();
  }

  #open(): ResultSource | null {
    const { definition, telemetry, clientName } = this.#options;
    const { name } = definition;
    try {
      const backend = parseResultBackend(definition);
      if (backend === null) {
        this.#tell(null);
        return null;
      }
      if (backend.kind === 'unreadable') {
        this.#tell({ ...NONE_YET, state: 'unreadable', endpoint: backend.endpoint, detail: backend.reason });
        return null;
      }
      this.#tell({ ...NONE_YET, state: 'connecting', endpoint: backend.targets[0].endpoint, detail: '' });
      return openResultSource(backend, {
        cluster: name,
        signal: this.#end.signal,
        clientName,
        onStatus: (status) => this.#onStatus(status),
        onDropped: (count) => telemetry.resultsDropped(name, count),
      });
    } catch (error) {
      if (!(error instanceof BrokerConfigError)) throw error;
      this.#tell({ ...NONE_YET, state: 'failed', endpoint: error.endpoint, detail: error.message });
      return null;
    }
  }

  #onStatus({ state, error }: BrokerStatus): void {
    if (this.#status !== null) this.#tell({ ...this.#status, state, detail: error?.message ?? '' });
  }

  #tell(status: ResultsStatus | null): void {
    const { definition, telemetry, onStatus } = this.#options;
    if (status !== null && status.state !== this.#status?.state) {
      telemetry.resultsState(definition.name, status.state, status.detail);
    }
    this.#status = status;
    onStatus(status);
  }

  async #follow(): Promise<void> {
    if (this.#source === null) return;
    for await (const burst of this.#source.bursts) {
      for (const delivery of burst) this.#take(delivery);
      await this.#options.publisher.room();
    }
  }

  /** @returns whether the result is an end. */
  #take({ taskId, payload, receivedAtMs }: ResultDelivery): boolean {
    const { definition, telemetry } = this.#options;
    let stored: StoredResult;
    try {
      stored = decodeStoredResult(payload);
    } catch (error) {
      if (!(error instanceof CeleryDecodeError)) throw error;
      telemetry.resultUnreadable(definition.name, error.code);
      this.#count({ rejected: 1 }, `${error.code}: ${error.message}; set result_serializer = 'json'`);
      return false;
    }
    telemetry.results(definition.name, 1);
    this.#count({ taken: 1 }, '');
    const ended = ENDED.has(stored.state);
    const heardAt = receivedAtMs / 1000;
    if (ended) {
      this.#onTheWay.delete(taskId);
      this.#publish(taskId, stored, heardAt);
    } else if (!OF_NO_USE.has(stored.state)) {
      if (this.#onTheWay.size >= MAX_ON_THE_WAY) this.#release();
      this.#onTheWay.set(taskId, { stored, heardAt });
    }
    return ended;
  }

  /** Counters travel with the next report; a backend that is heard but never understood is told at once. */
  #count({ taken = 0, rejected = 0 }: { taken?: number; rejected?: number }, detail: string): void {
    const before = this.#status;
    if (before === null) return;
    const status = { ...before, taken: before.taken + taken, rejected: before.rejected + rejected };
    if (status.taken === 0) this.#tell({ ...status, state: 'unreadable', detail });
    else if (before.state === 'unreadable') this.#tell({ ...status, state: 'connected', detail: '' });
    else this.#status = status;
    this.#options.onStatus(this.#status);
  }

  #release(): void {
    for (const [taskId, { stored, heardAt }] of this.#onTheWay) this.#publish(taskId, stored, heardAt);
    this.#onTheWay.clear();
  }

  #publish(taskId: string, stored: StoredResult, heardAt: number): void {
    const { definition, mask, publisher } = this.#options;
    const event = resultEvent(definition.name, taskId, stored, heardAt, mask);
    publisher.addTask(partitionOf(taskId), (rows) => rows.append(event));
  }

  async #answer(taskIds: readonly string[]): Promise<ResultsAnswer> {
    if (this.#source === null) return { readable: false, ended: [] };
    const { signal } = this.#end;
    const { publisher } = this.#options;
    const found = await this.#source.lookup(taskIds, signal);
    const ended = found.filter((delivery) => this.#take(delivery)).map(({ taskId }) => taskId);
    publisher.flush();
    const published = new Promise<true>((resolve) => publisher.settleWhenPublished(() => resolve(true)));
    const inTime = await Promise.race([published, delay(PUBLISH_MS, false, { signal, ref: false })]);
    if (!inTime) throw new Error('the results found could not be published in time');
    return { readable: true, ended };
  }
}

const NONE_YET = { taken: 0, rejected: 0 };

/**
 * A stored result as an event of its task, secrets hidden. Whoever hears it gives it the same id; of a state on the way,
 * which has no time of its own, one a second is kept.
 */
export function resultEvent(
  cluster: string,
  taskId: string,
  stored: StoredResult,
  heardAt: number,
  mask: Mask,
): TaskEventFields {
  const { state, doneAt, retries, meta } = stored;
  const type = `meadow-result-${state.slice(0, 100)}`;
  const masked = (text: string | null): string => (text === null ? '' : mask(shortened(text)));
  const extra = meta === null ? '' : mask.json(JSON.parse(meta));
  const idAt = doneAt ?? Math.floor(heardAt);
  return {
    event_id: eventId(cluster, doneAt === null ? extra : '', null, null, type, taskId, idAt),
    type,
    timestamp: doneAt ?? heardAt,
    collected_at: heardAt,
    worker: stored.worker ?? '',
    task_id: taskId,
    name: stored.name ?? '',
    args: masked(stored.args),
    kwargs: masked(stored.kwargs),
    ...(retries === null ? {} : { retries }),
    parent_id: stored.parentId ?? '',
    result: stored.result === null ? '' : mask(inBytes(stored.result)),
    exception: masked(stored.exception),
    traceback: masked(stored.traceback),
    extra: extra.slice(0, LONGEST_TEXT),
  };
}

/** The text, or as much of its beginning as the bound allows, with a note of what is gone. */
function inBytes(text: string): string {
  const size = Buffer.byteLength(text);
  if (size <= LONGEST_RESULT) return text;
  const kept = Buffer.from(text)
    .subarray(0, LONGEST_RESULT)
    .toString()
    .replace(/\ufffd+$/, '');
  return `${kept}\n… ${size - LONGEST_RESULT} bytes cut by Meadow …`;
}
