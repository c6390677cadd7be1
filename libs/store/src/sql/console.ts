import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { ask } from '../questions/options.ts';
import type { Store } from '../store.ts';
import { splitExplain } from './explain.ts';
import { judge } from './gate.ts';
import { lex, type Lexed, type SqlParameter } from './lexer.ts';
import { SqlReader, type Reading, type RowTexts, type SqlLimits, type SqlReaderOptions } from './reader.ts';
import { Slots } from './slots.ts';
import { positionAt, SqlError, type SqlPosition } from './sql-error.ts';
import { readTree } from './tree.ts';

export interface SqlConsoleOptions extends SqlReaderOptions {
  /** Meadow's own connections: they tell which tables there are and what runs, and end what is to end. */
  readonly store: Store;
  readonly limits: SqlLimits;
  /** Statements at the same time. @default 2 */
  readonly concurrency?: number | undefined;
  /** How long others wait for their turn. @default 5_000 */
  readonly patienceMs?: number | undefined;
}

/** A statement that may run. */
export interface CheckedStatement {
  readonly parameters: readonly SqlParameter[];
  /** Public tables that it reads. */
  readonly tables: readonly string[];
}

export interface StatementInput {
  readonly statement: string;
  /** Values of its parameters, as ClickHouse reads them. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Whose rows it may see; null for all. */
  readonly clusters: readonly string[] | null;
}

export interface RunInput extends StatementInput {
  /** Asks how it would be run instead. */
  readonly explain?: 'plan' | 'pipeline' | 'estimate' | undefined;
  /** Rows and bytes of text at most; what is beyond is not read. */
  readonly maxRows: number;
  readonly maxBytes: number;
}

export interface RunStatistics {
  /** Rows that were given. */
  readonly rows: number;
  readonly seconds: number;
  /** As far as was heard while it ran; null when it was over before. */
  readonly rowsRead: number | null;
  readonly bytesRead: number | null;
  /** Whether there are more rows than were given. */
  readonly cut: boolean;
}

/** `columns` comes first, `end` last. Rows are JSON arrays as ClickHouse writes them. */
export type RunStep =
  | { readonly kind: 'columns'; readonly names: readonly string[]; readonly types: readonly string[] }
  | { readonly kind: 'rows'; readonly rows: readonly string[] }
  | { readonly kind: 'progress'; readonly rowsRead: number; readonly bytesRead: number; readonly seconds: number }
  | { readonly kind: 'end'; readonly statistics: RunStatistics };

interface Ready {
  readonly sql: string;
  readonly checked: CheckedStatement;
  readonly reading: Reading;
}

/**
 * Runs statements of people: each goes through the gate, waits for one of a few places, and runs read-only and bounded. Every
 * failure is an SqlError. Aborting the signal, or leaving a loop early, ends the statement; its place is free only when
 * ClickHouse has ended it, so that what cannot be ended at once does not add up.
 */
export class SqlConsole implements AsyncDisposable {
  readonly #store: Store;
  readonly #reader: SqlReader;
  readonly #database: string;
  readonly #slots: Slots;
  readonly #limits: SqlLimits;
  readonly #endings = new Set<Promise<void>>();
  #closed = false;

  constructor(options: SqlConsoleOptions) {
    this.#store = options.store;
    this.#reader = new SqlReader(options, options.limits);
    this.#database = options.database;
    this.#limits = options.limits;
    this.#slots = new Slots(options.concurrency ?? 2, options.patienceMs ?? 5_000);
  }

  /** Reads a statement without running it. @throws SqlError SQL_SYNTAX, SQL_REFUSED, SQL_UNAVAILABLE */
  async check(statement: string, signal: AbortSignal): Promise<CheckedStatement> {
    return (await this.#check(statement, signal)).checked;
  }

  /** @throws SqlError */
  async *run(input: RunInput, signal: AbortSignal): AsyncGenerator<RunStep, void, undefined> {
    await using ready = await this.#begin(input, signal);
    const { explain, maxRows, maxBytes } = input;
    const asksAlready = ready.sql.startsWith('EXPLAIN ');
    const sql = explain === undefined || asksAlready ? ready.sql : `EXPLAIN ${explain.toUpperCase()} ${ready.sql}`;
    // one more than is shown, to know whether there are more; of a UNION each part is bounded, and all of them here
    const limit = sql.startsWith('EXPLAIN ') ? {} : { limit: String(maxRows + 1) };
    const reading = { ...ready.reading, settings: { ...ready.reading.settings, ...limit } };
    const beganMs = performance.now();
    const chunks = this.#reader.rows(sql, 'JSONCompactEachRowWithNamesAndTypes', reading);
    let progress: Extract<RunStep, { kind: 'progress' }> | null = null;
    let names: string[] | null = null;
    let types: string[] | null = null;
    let rows = 0;
    let bytes = 0;
    let cut = false;
    let next = chunks.next();
    // it may fail while progress is asked for
    next.catch(() => undefined);
    for (;;) {
      const step = await Promise.race([next, delay(PROGRESS_MS, null, { ref: false })]);
      if (step === null) {
        const told = await this.#progress(ready.reading.queryId, signal);
        if (told !== null) yield (progress = { kind: 'progress', ...told });
        continue;
      }
      if (step.done === true) break;
      const given: string[] = [];
      for (const { text } of step.value) {
        if (names === null) names = JSON.parse(text) as string[];
        else if (types === null) {
          types = JSON.parse(text) as string[];
          yield { kind: 'columns', names, types };
        } else {
          cut = rows >= maxRows || bytes >= maxBytes;
          if (cut) break;
          given.push(text);
          rows += 1;
          bytes += text.length;
        }
      }
      if (given.length > 0) yield { kind: 'rows', rows: given };
      if (cut) break;
      next = chunks.next();
      next.catch(() => undefined);
    }
    const seconds = (performance.now() - beganMs) / 1000;
    const { rowsRead = null, bytesRead = null } = progress ?? {};
    yield { kind: 'end', statistics: { rows, seconds, rowsRead, bytesRead, cut } };
  }

  /** All rows: JSON objects, or arrays behind two that name the columns and their types. @throws SqlError, also in the middle */
  async *rows(
    input: StatementInput,
    format: 'JSONEachRow' | 'JSONCompactEachRowWithNamesAndTypes',
    signal: AbortSignal,
  ): AsyncGenerator<readonly { readonly text: string }[], void, undefined> {
    await using ready = await this.#begin(input, signal);
    const chunks: RowTexts = this.#reader.rows(ready.sql, format, ready.reading);
    yield* chunks as AsyncGenerator<readonly { readonly text: string }[], void, undefined>;
  }

  /** All rows as a Parquet file. @throws SqlError, also in the middle */
  async *parquet(input: StatementInput, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    await using ready = await this.#begin(input, signal);
    const bytes: Readable = await this.#reader.bytes(ready.sql, 'Parquet', ready.reading);
    yield* bytes as AsyncIterable<Buffer>;
  }

  /** Statements that still run are ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#endings);
    await this.#reader[Symbol.asyncDispose]();
  }

  /** Checks a statement and takes a place for it, which is given back some time after disposal. */
  async #begin(input: StatementInput, signal: AbortSignal): Promise<Ready & AsyncDisposable> {
    const { sql, checked } = await this.#check(input.statement, signal);
    const parameters = valuesOf(checked, input.parameters);
    const settings = await this.#onlyOf(input.clusters, signal);
    const giveBack = await this.#slots.take(signal);
    const gone = new AbortController();
    const queryId = randomUUID();
    // past it ClickHouse computes something that it cannot leave, and need not be waited for
    const deadline = AbortSignal.timeout((this.#limits.seconds + DEADLINE_MARGIN_SECONDS) * 1000);
    const reading = { parameters, settings, queryId, signal: AbortSignal.any([signal, gone.signal, deadline]) };
    return {
      ...{ sql, checked, reading },
      [Symbol.asyncDispose]: () => {
        gone.abort();
        const ending = this.#whenEnded(queryId).finally(() => {
          giveBack();
          this.#endings.delete(ending);
        });
        this.#endings.add(ending);
        return Promise.resolve();
      },
    };
  }

  async #check(statement: string, signal: AbortSignal): Promise<{ sql: string; checked: CheckedStatement }> {
    const lexed = lex(statement);
    const { head, from } = splitExplain(lexed);
    const tables = await this.#tables(signal);
    const lines = await this.#reader
      .tree(bracketed(lexed.textWithoutParameters, from), signal)
      .catch((error: unknown) => {
        throw placed(error, lexed, `EXPLAIN AST ${OPENING}`.length - from);
      });
    const root = readTree(lines);
    if (root === null)
      throw new SqlError('SQL_REFUSED', 'this statement cannot be read safely: write names without signs');
    const read = judge(root, lexed, { database: this.#database, tables });
    return {
      sql: `${head} ${bracketed(lexed.text, from)}`.trim(),
      checked: { parameters: lexed.parameters, tables: read },
    };
  }

  async #tables(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const rows = await this.#ask(
      'sql tables',
      z.object({ name: z.string() }),
      'SELECT name FROM system.tables WHERE database = {database:String}',
      { database: this.#database },
      signal,
    );
    if (rows.length === 0)
      throw new SqlError('SQL_UNAVAILABLE', 'there are no tables yet: the aggregator creates them');
    return new Set(rows.map(({ name }) => name));
  }

  /** Shuts out rows of other clusters, from every table that says whose its rows are, however it is read. */
  async #onlyOf(clusters: readonly string[] | null, signal: AbortSignal): Promise<Reading['settings']> {
    if (clusters === null) return {};
    const holders = await this.#ask(
      'sql cluster tables',
      z.object({ name: z.string() }),
      `SELECT c.table AS name
       FROM system.columns AS c
       JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
       WHERE c.database = {database:String} AND c.name = 'cluster' AND t.engine NOT IN ('View', 'MaterializedView', 'Null')`,
      { database: this.#database },
      signal,
    );
    const condition = clusters.length === 0 ? 'false' : `cluster IN (${clusters.map(quoted).join(', ')})`;
    const filters = holders.map(({ name }) => `${quoted(`${this.#database}.${name}`)}: ${quoted(condition)}`);
    return { additional_table_filters: `{${filters.join(', ')}}` as never };
  }

  /** What a running statement has read so far; null when it does not run or cannot be asked. */
  async #progress(
    queryId: string,
    signal: AbortSignal,
  ): Promise<{ rowsRead: number; bytesRead: number; seconds: number } | null> {
    const rows = await this.#running(queryId, AbortSignal.any([signal, AbortSignal.timeout(1_000)])).catch(() => []);
    return rows[0] ?? null;
  }

  #running(queryId: string, signal: AbortSignal) {
    return this.#ask(
      'sql progress',
      z.object({ rowsRead: z.number(), bytesRead: z.number(), seconds: z.number() }),
      `SELECT read_rows AS rowsRead, read_bytes AS bytesRead, elapsed AS seconds FROM system.processes WHERE ${IS_QUERY}`,
      { id: queryId, mark: `query_id=${queryId} ` },
      signal,
    );
  }

  /** Ends the statement and resolves when ClickHouse no longer knows it, however long that takes. */
  async #whenEnded(queryId: string): Promise<void> {
    const params = { id: queryId, mark: `query_id=${queryId} ` };
    for (let waitMs = 20; !this.#closed; waitMs = Math.min(waitMs * 2, 1_000)) {
      const rows = await this.#running(queryId, AbortSignal.timeout(2_000)).catch(() => null);
      if (rows?.length === 0) return;
      await this.#store
        .command('sql end', `KILL QUERY WHERE ${IS_QUERY} ASYNC`, params, { timeoutMs: 2_000 })
        .catch(() => undefined);
      await delay(waitMs);
    }
  }

  async #ask<Schema extends z.ZodType>(
    operation: string,
    schema: Schema,
    sql: string,
    params: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<z.output<Schema>[]> {
    try {
      return await ask(this.#store, operation, schema, sql, params, { signal, timeoutMs: 5_000 });
    } catch (error) {
      if (signal.aborted) throw new SqlError('SQL_STOPPED', 'it was stopped before it began', null, error);
      throw new SqlError('SQL_UNAVAILABLE', 'ClickHouse does not answer', null, error);
    }
  }
}

/** Opens connections of its own for statements of people; nothing is sent until the first. */
export function openSqlConsole(options: SqlConsoleOptions): SqlConsole {
  return new SqlConsole(options);
}

const PROGRESS_MS = 500;
const DEADLINE_MARGIN_SECONDS = 2;
/** The embedded engine chooses ids itself, and has ours in a comment. */
const IS_QUERY = "query_id = {id:String} OR position(Settings['log_comment'], {mark:String}) > 0";
const OPENING = '(\n';

/** In brackets no FORMAT, INTO OUTFILE or second statement can be meant for the whole request. */
function bracketed(text: string, from: number): string {
  return `${OPENING}${text.slice(from)}\n)`;
}

/** Values of exactly the parameters that there are. @throws SqlError SQL_PARAMETER */
function valuesOf(
  { parameters }: CheckedStatement,
  values: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    parameters.map(({ name, type }) => {
      const value = values[name];
      if (value === undefined) throw new SqlError('SQL_PARAMETER', `parameter ${name} (${type}) has no value`);
      if (/aggregatefunction/i.test(value)) {
        throw new SqlError('SQL_PARAMETER', `the value of ${name} cannot have the word AggregateFunction in it`);
      }
      return [name, value];
    }),
  );
}

/** ClickHouse counts bytes from 1, in the text that it was given. */
const SYNTAX_AT = /failed at position (\d+) \((.*?)\)(?:: | \(line)/s;

/** A syntax error with the place in the person's own text, and without the part of that text that ClickHouse repeats. */
function placed(error: unknown, lexed: Lexed, before: number): unknown {
  if (!(error instanceof SqlError) || error.code !== 'SQL_SYNTAX') return error;
  const [, position, near = ''] = SYNTAX_AT.exec(error.message) ?? [];
  const expected = /Expected (?:one of: )?(.*?)\.?$/s.exec(error.message)?.[1];
  const bytes = Buffer.from(lexed.textWithoutParameters);
  let place: SqlPosition | null = null;
  if (position !== undefined) {
    const at = Math.max(0, Number(position) - 1 - before);
    const offset = Math.min(bytes.subarray(0, at).toString().length, lexed.text.trimEnd().length);
    place = positionAt(lexed.text, offset);
  }
  const where = near === '' || near === ')' ? 'here' : `at ${near}`;
  const hint = expected === undefined ? '' : `: expected ${expected.split(', ').slice(0, 8).join(', ')}`;
  return new SqlError('SQL_SYNTAX', `cannot be read ${where}${hint}`, place, error);
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
