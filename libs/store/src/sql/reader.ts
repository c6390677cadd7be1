import {
  ClickHouseError,
  ClickHouseLogLevel,
  createClient,
  type ClickHouseClient,
  type ClickHouseSettings,
} from '@clickhouse/client';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { SqlError, type SqlErrorCode } from './sql-error.ts';

/** Where statements of people are run. */
export interface SqlReaderOptions {
  readonly url: string;
  readonly database: string;
  readonly username: string;
  readonly password: string;
  /**
   * Whether that user may do nothing but read by its own grants and profile. Else each request makes its session read-only
   * itself, which a session that is read-only already would not let it do.
   */
  readonly restricted: boolean;
}

/** What one statement may take. */
export interface SqlLimits {
  readonly seconds: number;
  readonly memoryBytes: number;
  readonly threads: number;
}

export interface Reading {
  readonly parameters: Readonly<Record<string, string>>;
  readonly settings: ClickHouseSettings;
  readonly queryId: string;
  readonly signal: AbortSignal;
}

/** Rows of an answer as ClickHouse writes them, in chunks. */
export type RowTexts = AsyncIterable<readonly { readonly text: string }[]>;

/**
 * Connections on which every statement is read-only and bounded, in a session of its own. It asks no questions of what a
 * statement is: that is the gate's.
 */
export class SqlReader implements AsyncDisposable {
  readonly #client: ClickHouseClient;
  readonly #settings: ClickHouseSettings;
  readonly #limits: SqlLimits;

  constructor(options: SqlReaderOptions, limits: SqlLimits) {
    this.#limits = limits;
    this.#settings = { ...boundsOf(limits), ...(options.restricted ? {} : { readonly: '1' }) };
    this.#client = createClient({
      url: options.url,
      // names without a database are those of ours, never of one that takes names for files
      database: options.database,
      username: options.username,
      password: options.password,
      application: 'meadow-sql',
      max_open_connections: 8,
      request_timeout: (limits.seconds + 10) * 1000,
      log: { level: ClickHouseLogLevel.OFF },
    });
  }

  /** The lines of `EXPLAIN AST`. @throws SqlError */
  async tree(sql: string, signal: AbortSignal): Promise<readonly string[]> {
    try {
      const { stream } = await this.#client.exec({
        query: `EXPLAIN AST ${sql}`,
        // a FORMAT clause would be taken for a part of what is explained
        http_headers: { 'x-clickhouse-format': 'JSONEachRow' },
        clickhouse_settings: { ...this.#settings, max_execution_time: PARSE_SECONDS },
        abort_signal: signal,
      });
      const lines = (await text(stream)).split('\n').filter((line) => line !== '');
      return lines.map((line) => explained.parse(JSON.parse(line)).explain);
    } catch (error) {
      throw toSqlError(error, signal, { ...this.#limits, seconds: PARSE_SECONDS });
    }
  }

  /** Rows as lines of JSON. @throws SqlError, also in the middle */
  async *rows(
    sql: string,
    format: 'JSONEachRow' | 'JSONCompactEachRowWithNamesAndTypes',
    { parameters, settings, queryId, signal }: Reading,
  ): AsyncGenerator<readonly { readonly text: string }[], void> {
    try {
      const result = await this.#client.query({
        query: sql,
        format,
        query_id: queryId,
        clickhouse_settings: { ...this.#settings, ...settings, ...asSettings(parameters) },
        abort_signal: signal,
      });
      yield* result.stream() as RowTexts;
    } catch (error) {
      throw toSqlError(error, signal, this.#limits);
    }
  }

  /** The answer in `format`, as bytes. @throws SqlError until they begin to come */
  async bytes(sql: string, format: 'Parquet', reading: Reading): Promise<Readable> {
    const { parameters, settings, queryId, signal } = reading;
    try {
      const { stream } = await this.#client.exec({
        query: `${sql}\nFORMAT ${format}`,
        query_id: queryId,
        clickhouse_settings: { ...this.#settings, ...settings, ...asSettings(parameters) },
        abort_signal: signal,
      });
      return stream;
    } catch (error) {
      throw toSqlError(error, signal, this.#limits);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }
}

/**
 * Values as they travel in the address, so that they may be written as ClickHouse reads them: the client's own parameters would
 * put a backslash before each quote of `['a']`.
 */
function asSettings(parameters: Readonly<Record<string, string>>): ClickHouseSettings {
  const escaped = (value: string): string => value.replace(/[\\\t\n\r]/g, (char) => ESCAPES[char] ?? char);
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [`param_${name}`, escaped(value)]),
  ) as ClickHouseSettings;
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

const explained = z.object({ explain: z.string() });

/** Reading a statement's text takes milliseconds, unless it was written to take longer. */
const PARSE_SECONDS = 5;

function boundsOf({ seconds, memoryBytes, threads }: SqlLimits): ClickHouseSettings {
  return {
    max_execution_time: seconds,
    timeout_overflow_mode: 'throw',
    max_memory_usage: String(memoryBytes),
    max_threads: threads,
    // a statement can be stopped only between two blocks
    max_block_size: '8192',
    // it may fill its own memory, never the disk
    max_bytes_before_external_group_by: '0',
    max_bytes_ratio_before_external_group_by: 0,
    max_bytes_before_external_sort: '0',
    max_bytes_ratio_before_external_sort: 0,
    max_query_size: '400000',
    max_parser_depth: '400',
    max_parser_backtracks: '100000',
    max_ast_depth: '400',
    max_ast_elements: '20000',
    max_expanded_ast_elements: '100000',
    max_subquery_depth: '50',
    max_hyperscan_regexp_length: '1000',
    max_hyperscan_regexp_total_length: '5000',
    do_not_merge_across_partitions_select_final: 1,
    output_format_json_quote_64bit_integers: 1,
    output_format_json_quote_decimals: 1,
    output_format_json_quote_denormals: 1,
  };
}

/** By ClickHouse's error numbers, which are stable. */
const MEANING = new Map<string, SqlErrorCode>([
  ['62', 'SQL_SYNTAX'],
  ...['164', '358', '452', '481', '497'].map((code) => [code, 'SQL_REFUSED'] as const),
  ...['456', '457'].map((code) => [code, 'SQL_PARAMETER'] as const),
  ...['159', '160'].map((code) => [code, 'SQL_TOO_LONG'] as const),
  ...['158', '162', '167', '168', '191', '229', '241', '306', '307', '396'].map(
    (code) => [code, 'SQL_TOO_LARGE'] as const,
  ),
  ['394', 'SQL_STOPPED'],
  ['202', 'SQL_BUSY'],
  ...['192', '193', '210', '236', '516'].map((code) => [code, 'SQL_UNAVAILABLE'] as const),
]);

const LONGEST_MESSAGE = 2_000;

function toSqlError(error: unknown, signal: AbortSignal, limits: SqlLimits): SqlError {
  if (error instanceof SqlError) return error;
  const tooLong = `it took more than ${limits.seconds} s: narrow the span of time it reads`;
  if (signal.aborted) {
    const { reason } = signal as { readonly reason: unknown };
    const over = reason instanceof DOMException && reason.name === 'TimeoutError';
    return over
      ? new SqlError('SQL_TOO_LONG', tooLong, null, error)
      : new SqlError('SQL_STOPPED', 'it was stopped', null, error);
  }
  if (!(error instanceof ClickHouseError)) {
    return new SqlError('SQL_UNAVAILABLE', 'ClickHouse does not answer', null, error);
  }
  const code = MEANING.get(error.code);
  const said = error.message.slice(0, LONGEST_MESSAGE);
  switch (code) {
    case 'SQL_TOO_LONG':
      return new SqlError(code, tooLong, null, error);
    case 'SQL_TOO_LARGE':
      return new SqlError(code, `it took more than one statement may: ${said}`, null, error);
    case 'SQL_UNAVAILABLE':
      return new SqlError(code, 'ClickHouse does not take statements now', null, error);
    default:
      return new SqlError(code ?? 'SQL_FAILED', said, null, error);
  }
}
