import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Session } from 'chdb';
import { exception, parseException } from './exception.ts';
import type { FromWorker, Job, Summary, ToWorker } from './protocol.ts';

export interface EngineOptions {
  /** Directory of the engine and of its configuration file; this process must be its only user. */
  readonly dataDir: string;
  /** Bound of all queries, merges and caches together. */
  readonly maxMemoryBytes: number;
  readonly maxConcurrentQueries: number;
  /** Queries that may wait for a free thread; one more is refused. */
  readonly maxQueuedQueries: number;
  /** How long one may wait. */
  readonly queueTimeoutMs: number;
}

export interface JobOptions {
  readonly signal: AbortSignal;
  /** A text that ends the `log_comment` of the job's connection; by it a running query is found and killed. */
  readonly mark: string;
  /** Whether an abort stops the query in the engine; a write is left to finish. */
  readonly killable: boolean;
}

interface Thread {
  readonly worker: Worker;
  receive: (message: FromWorker) => void;
}

interface Waiting {
  readonly grant: (thread: Thread) => void;
  readonly refuse: (error: Error) => void;
}

/** How often a kill is repeated until its query has ended: the query may not have begun yet. */
const KILL_INTERVAL_MS = 100;

/**
 * The ClickHouse engine of this process: threads that each run one statement on a connection of its own, so that no
 * setting, parameter or temporary table outlives its request. Threads start on demand and stay. Dispose: queued jobs are
 * refused, running ones end first, then the engine closes.
 */
export class Engine implements AsyncDisposable {
  readonly version: string;
  readonly timezone: string;
  readonly #options: EngineOptions;
  readonly #enginePath: string;
  /** Keeps the engine open and carries the kills. */
  readonly #control: Session;
  readonly #threads = new Set<Thread>();
  readonly #idle: Thread[] = [];
  readonly #queue = new Set<Waiting>();
  #closing = false;
  #whenAllIdle: (() => void) | null = null;

  constructor(options: EngineOptions, enginePath: string, control: Session) {
    this.#options = options;
    this.#enginePath = enginePath;
    this.#control = control;
    const facts = control.query('SELECT version(), timezone()', 'TSV').trim().split('\t');
    this.version = facts[0] ?? '';
    this.timezone = facts[1] ?? '';
  }

  /** Jobs that run or wait. */
  get load(): number {
    return this.#threads.size - this.#idle.length + this.#queue.size;
  }

  /**
   * Runs a job and yields its result block by block; a block is asked of the engine only when the one before it was
   * taken, one ahead. Leaving the loop early or an abort stops a killable query.
   * @throws ClickHouseException as the engine reports it; 202 when the queue is full, 394 when aborted while waiting.
   */
  async *run(job: Job, { signal, mark, killable }: JobOptions): AsyncGenerator<Buffer, Summary, undefined> {
    const thread = await this.#acquire(signal);
    const inbox: FromWorker[] = [];
    let wake: () => void = () => undefined;
    thread.receive = (message) => {
      inbox.push(message);
      wake();
    };
    let ended = false;
    const next = async (): Promise<FromWorker> => {
      if (inbox.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const message = inbox.shift() as FromWorker;
      if (message.type !== 'block') ended = true;
      return message;
    };
    const post = (message: ToWorker): void => thread.worker.postMessage(message);
    const onAbort = (): void => {
      post({ type: 'cancel' });
      if (killable) void this.#killUntil(mark, () => ended);
    };
    try {
      post({ type: 'run', job });
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
      for (;;) {
        const message = await next();
        if (message.type === 'failed') throw parseException(message.message);
        if (message.type === 'done') return message.summary;
        yield Buffer.from(message.bytes.buffer, message.bytes.byteOffset, message.bytes.byteLength);
        post({ type: 'pull' });
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      if (!ended && !signal.aborted) onAbort();
      while (!ended) await next();
      this.#release(thread);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    for (const waiting of this.#queue) waiting.refuse(exception(236, 'The server is shutting down'));
    this.#queue.clear();
    if (this.#idle.length < this.#threads.size) await new Promise<void>((resolve) => (this.#whenAllIdle = resolve));
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()));
    this.#control.close();
  }

  async #acquire(signal: AbortSignal): Promise<Thread> {
    if (this.#closing) throw exception(236, 'The server is shutting down');
    const free = this.#idle.pop();
    if (free !== undefined) return free;
    const { maxConcurrentQueries, maxQueuedQueries } = this.#options;
    if (this.#threads.size < maxConcurrentQueries) return this.#startThread();
    if (this.#queue.size >= maxQueuedQueries) throw this.#tooMany('the queue is full');
    return this.#wait(signal);
  }

  #wait(signal: AbortSignal): Promise<Thread> {
    const { promise, resolve, reject } = Promise.withResolvers<Thread>();
    const waiting: Waiting = { grant: resolve, refuse: reject };
    const leave = (error: Error): void => {
      if (this.#queue.delete(waiting)) reject(error);
    };
    const onAbort = (): void => leave(exception(394, 'Query was cancelled while it waited'));
    const { queueTimeoutMs } = this.#options;
    const timer = setTimeout(() => leave(this.#tooMany(`waited ${queueTimeoutMs} ms`)), queueTimeoutMs);
    this.#queue.add(waiting);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    });
  }

  #tooMany(reason: string): Error {
    const { maxConcurrentQueries } = this.#options;
    return exception(202, `Too many simultaneous queries. Maximum: ${maxConcurrentQueries}, ${reason}`);
  }

  #release(thread: Thread): void {
    if (!this.#threads.has(thread)) return;
    const [first] = this.#queue;
    if (first !== undefined) {
      this.#queue.delete(first);
      first.grant(thread);
      return;
    }
    this.#idle.push(thread);
    if (this.#idle.length === this.#threads.size) this.#whenAllIdle?.();
  }

  #startThread(): Thread {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: { enginePath: this.#enginePath },
    });
    const thread: Thread = { worker, receive: () => undefined };
    this.#threads.add(thread);
    worker.on('message', (message: FromWorker) => thread.receive(message));
    worker.on('error', (error) => {
      this.#threads.delete(thread);
      thread.receive({ type: 'failed', message: `the query thread ended: ${error.message}` });
    });
    return thread;
  }

  /** `KILL … ASYNC` ends a computing query within a few milliseconds; `SYNC` waits for ever in this engine. */
  async #killUntil(mark: string, ended: () => boolean): Promise<void> {
    const sql = `KILL QUERY WHERE endsWith(Settings['log_comment'], ${quote(mark)}) ASYNC`;
    while (!ended()) {
      await this.#control.queryAsync(sql, { format: 'Null' }).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, KILL_INTERVAL_MS));
    }
  }
}

/** A string literal of ClickHouse's SQL. */
export function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&').replaceAll('\0', '\\0')}'`;
}

/**
 * Opens the engine on `dataDir`, which exists and is locked by the caller. Only one can be open in a process.
 * @throws Error when the engine refuses the directory.
 */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const configPath = join(options.dataDir, 'server.xml');
  await writeFile(configPath, configuration(options));
  const enginePath = join(options.dataDir, 'engine');
  const control = new Session(enginePath, { connectionArgs: [`--config-file=${configPath}`] });
  return new Engine(options, enginePath, control);
}

/** The engine's own cache limits are those of a large server: several gigabytes each. */
function configuration({ maxMemoryBytes }: EngineOptions): string {
  const MIB = 1024 * 1024;
  return `<clickhouse>
  <max_server_memory_usage>${maxMemoryBytes}</max_server_memory_usage>
  <mark_cache_size>${128 * MIB}</mark_cache_size>
  <index_mark_cache_size>${32 * MIB}</index_mark_cache_size>
  <primary_index_cache_size>${128 * MIB}</primary_index_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <query_condition_cache_size>${32 * MIB}</query_condition_cache_size>
  <compiled_expression_cache_size>${32 * MIB}</compiled_expression_cache_size>
</clickhouse>
`;
}
