import { Readable } from 'node:stream';
import { ClickHouseLogLevel, createClient, type ClickHouseClient, type ClickHouseSettings } from '@clickhouse/client';
import { StoreError, toStoreError } from './errors.ts';

/** What this library says of itself; any structured logger fits. */
export interface StoreLogger {
  info(message: string, facts?: Readonly<Record<string, unknown>>): void;
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void;
}

/** Where ClickHouse is. */
export interface StoreOptions {
  /** e.g. `http://127.0.0.1:8123` */
  readonly url: string;
  /** @default 'meadow' */
  readonly database?: string | undefined;
  /** @default 'default' */
  readonly username?: string | undefined;
  /** @default '' */
  readonly password?: string | undefined;
  readonly logger?: StoreLogger | undefined;
  /** Deadline of a call that names none of its own. @default 30_000 */
  readonly requestTimeoutMs?: number | undefined;
  /** Connections held at most; calls beyond that wait. @default 10 */
  readonly maxConnections?: number | undefined;
}

/** The most bytes of one write: more would not be one block, and then a token could not make it repeatable. */
export const MAX_WRITE_BYTES = 128 * 1024 * 1024;

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Past our own deadline ClickHouse's is over too; the margin lets its answer say so first. */
const DEADLINE_MARGIN_MS = 2_000;

/**
 * A pool of connections to one ClickHouse. Holds no state of its own but sockets, so any number may exist. The methods
 * are this library's inside: callers use the functions of `index.ts`.
 */
export class Store implements AsyncDisposable {
  readonly database: string;
  readonly logger: StoreLogger | undefined;
  readonly #client: ClickHouseClient;
  readonly #timeoutMs: number;

  constructor(options: StoreOptions) {
    this.database = options.database ?? 'meadow';
    // the name becomes part of statements, where ClickHouse takes no parameter
    if (!/^[a-z_][a-z0-9_]{0,62}$/i.test(this.database)) {
      throw new StoreError('STORE_REJECTED', `database name '${this.database}': use letters, digits and _`, {
        operation: 'open',
      });
    }
    this.logger = options.logger;
    this.#timeoutMs = options.requestTimeoutMs ?? 30_000;
    this.#client = createClient({
      url: options.url,
      ...(options.username === undefined ? {} : { username: options.username }),
      ...(options.password === undefined ? {} : { password: options.password }),
      application: 'meadow',
      max_open_connections: options.maxConnections ?? 10,
      // each call brings its own deadline; this one only ends sockets that nothing else would
      request_timeout: 600_000,
      log: { level: ClickHouseLogLevel.OFF },
    });
  }

  /** Rows of a statement whose every value is a parameter. */
  async query<Row>(
    operation: string,
    sql: string,
    params: Readonly<Record<string, unknown>>,
    options: CallOptions,
  ): Promise<Row[]> {
    return this.#call(operation, options, async (signal, timeoutMs) => {
      const result = await this.#client.query({
        query: sql,
        format: 'JSONEachRow',
        query_params: params,
        clickhouse_settings: { ...QUERY_SETTINGS, max_execution_time: Math.max(1, Math.ceil(timeoutMs / 1000)) },
        abort_signal: signal,
      });
      return result.json<Row>();
    });
  }

  /** A statement without rows, e.g. DDL. */
  async command(
    operation: string,
    sql: string,
    params: Readonly<Record<string, unknown>>,
    options: CallOptions,
  ): Promise<void> {
    await this.#call(operation, options, (signal) =>
      this.#client.command({
        query: sql,
        query_params: params,
        clickhouse_settings: COMMAND_SETTINGS,
        abort_signal: signal,
      }),
    );
  }

  /** One repeatable write: of JSON lines, or of rows of RowBinary with these columns. No bytes: no write. */
  async insert(
    table: string,
    rows: Buffer | readonly Buffer[],
    options: CallOptions & { readonly token: string; readonly columns?: readonly string[] },
  ): Promise<void> {
    const chunks = Buffer.isBuffer(rows) ? [rows] : rows;
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const operation = `insert ${table}`;
    if (bytes === 0) return;
    if (bytes > MAX_WRITE_BYTES) {
      throw new StoreError('STORE_BATCH_TOO_LARGE', `${operation}: ${bytes} bytes, at most ${MAX_WRITE_BYTES}`, {
        operation,
      });
    }
    const { columns } = options;
    const form = columns === undefined ? 'FORMAT JSONEachRow' : `(${columns.join(', ')}) FORMAT RowBinary`;
    await this.#call(operation, { timeoutMs: 60_000, ...options }, async (signal) => {
      const { stream } = await this.#client.exec({
        query: `INSERT INTO ${this.database}.${table} ${form}`,
        values: Readable.from(chunks, { objectMode: false }),
        clickhouse_settings: { ...INSERT_SETTINGS, insert_deduplication_token: options.token },
        abort_signal: signal,
      });
      await drain(stream);
    });
  }

  /** Whether ClickHouse answers at all. */
  async ping(signal: AbortSignal | undefined): Promise<void> {
    await this.#call('ping', { signal, timeoutMs: 5_000 }, async (callSignal) => {
      const answer = await this.#client.ping({ select: true, abort_signal: callSignal });
      if (!answer.success) throw answer.error;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }

  async #call<Result>(
    operation: string,
    options: CallOptions,
    run: (signal: AbortSignal, timeoutMs: number) => Promise<Result>,
  ): Promise<Result> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const deadline = AbortSignal.timeout(timeoutMs + DEADLINE_MARGIN_MS);
    options.signal?.throwIfAborted();
    try {
      return await run(
        options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]),
        timeoutMs,
      );
    } catch (error) {
      options.signal?.throwIfAborted();
      throw toStoreError(error, operation, deadline.aborted);
    }
  }
}

/** Numbers stay numbers: none of ours passes 2^53. */
const QUERY_SETTINGS: ClickHouseSettings = {
  output_format_json_quote_64bit_integers: 0,
  output_format_json_quote_64bit_floats: 0,
  // FINAL need not compare rows of different partitions: every table here is partitioned by a part of its sorting key
  do_not_merge_across_partitions_select_final: 1,
  join_use_nulls: 0,
};

const COMMAND_SETTINGS: ClickHouseSettings = { wait_end_of_query: 1 };

/**
 * What makes a repeated write exact: one block (so no parallel parsing, which cuts by timing), written before the
 * answer, its token handed on to the rollups' views. Unknown keys are skipped, so that a collector may be newer.
 */
const INSERT_SETTINGS: ClickHouseSettings = {
  async_insert: 0,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  input_format_parallel_parsing: 0,
  input_format_skip_unknown_fields: 1,
  wait_end_of_query: 1,
  // a batch has a task once and a view groups what it writes, so merging a block with itself finds nothing: 18 ms of CPU
  // for 12,000 tasks. Where it would, reading with FINAL and the next merge do it.
  optimize_on_insert: 0,
  // what was just written is of one hour, in which the sorting key alone finds an id; merges make the filters
  materialize_skip_indexes_on_insert: 0,
  // on a full disk the engine has been seen to keep a part of which only a piece was written: it must refuse before
  min_free_disk_bytes_to_perform_insert: 100_000_000,
};

/** Opens a pool of connections; nothing is sent until the first call. @throws StoreError on a bad database name */
export function openStore(options: StoreOptions): Store {
  return new Store(options);
}

async function drain(stream: Readable): Promise<void> {
  // a socket returns to the pool only when its answer has been read
  for await (const _ of stream);
}
