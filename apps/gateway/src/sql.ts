import {
  ApiError,
  MAX_SCREEN_ROWS,
  type SavedQuery,
  type SavedQueryInput,
  type SqlConsole as SqlPort,
  type SqlExportInput,
  type SqlLine,
  type SqlProblem,
  type SqlRunInput,
  type SqlSchema,
  type SqlVerdict,
} from '@meadow/api';
import type { AuditRecord, Requester } from '@meadow/contract';
import {
  ALLOWED_FUNCTIONS,
  insertAudit,
  publicSchema,
  readDocs,
  savedQueries,
  savedQuery,
  SqlError,
  TABLE_FUNCTIONS,
  writeSavedQuery,
  type SqlConsole,
  type SqlDocs,
  type SqlLimits,
  type Store,
} from '@meadow/store';
import { createHash, randomUUID } from 'node:crypto';
import { ASK_TIMEOUT_MS, Asking } from './asking.ts';
import type { Telemetry } from './telemetry.ts';

/** Text of a result for the screen, bytes; what is beyond is not sent. */
const MAX_SCREEN_BYTES = 16_000_000;
const SCHEMA_KEEP_MS = 60_000;
/** Of a statement, in the log and in the audit. */
const TOLD_CHARACTERS = 200;

export interface StoreSqlOptions {
  readonly store: Store;
  readonly console: SqlConsole;
  readonly limits: SqlLimits;
  /** Text of docs/sql.md, whose examples and words are shown; '' when it is not there. */
  readonly docs: string;
  readonly replica: string;
  readonly telemetry: Telemetry;
  /** Unix seconds. */
  readonly now: () => number;
}

/** Who asks, and whose rows they may read: names of clusters, or null for all. */
export interface SqlCaller {
  readonly requester: Requester;
  readonly clusters: readonly string[] | null;
}

/** What a run came to, as it is logged and recorded. */
export interface SqlRun {
  readonly action: 'sql.run' | 'sql.export';
  readonly statement: string;
  readonly outcome: AuditRecord['outcome'];
  readonly seconds: number;
  /** Rows that were sent; null for a file of bytes. */
  readonly rows: number | null;
  readonly problem: string;
}

/** SQL of people, behind the API's port and for the streams. Each run is logged and recorded, its result never. */
export class StoreSql implements SqlPort {
  readonly #options: StoreSqlOptions;
  readonly #docs: SqlDocs;
  readonly #asking: Asking;

  constructor(options: StoreSqlOptions) {
    this.#options = options;
    this.#docs = readDocs(options.docs);
    this.#asking = new Asking(options.telemetry);
  }

  schema(): Promise<SqlSchema> {
    return this.#asking.shared('sql schema', '', SCHEMA_KEEP_MS, async () => {
      const { store, limits } = this.#options;
      const { examples, meanings } = this.#docs;
      const tables = await publicSchema(store, { timeoutMs: ASK_TIMEOUT_MS });
      return {
        tables: tables.map(({ columns, ...table }) => ({
          ...table,
          columns: columns.map(({ comment, ...column }) => ({
            ...column,
            comment: comment === '' ? (meanings.get(`${table.name}.${column.name}`) ?? '') : comment,
          })),
        })),
        functions: ALLOWED_FUNCTIONS,
        tableFunctions: TABLE_FUNCTIONS,
        examples,
        limits: {
          ...{ seconds: limits.seconds, memoryBytes: limits.memoryBytes },
          ...{ screenRows: MAX_SCREEN_ROWS, screenBytes: MAX_SCREEN_BYTES },
        },
      };
    });
  }

  async check(statement: string, signal: AbortSignal): Promise<SqlVerdict> {
    try {
      const { parameters } = await this.#options.console.check(statement, signal);
      return { problem: null, parameters };
    } catch (error) {
      return { problem: toProblem(error), parameters: [] };
    }
  }

  /** The lines of the answer, whose last is `end` or `problem`. Rows pass through as ClickHouse wrote them. */
  async *run(input: SqlRunInput, { requester, clusters }: SqlCaller, signal: AbortSignal): AsyncGenerator<string> {
    const { statement, parameters, explain } = input;
    const line = (told: SqlLine): string => `${JSON.stringify(told)}\n`;
    using run = this.#recorded('sql.run', statement, requester, { explain });
    try {
      const bounds = { maxRows: MAX_SCREEN_ROWS, maxBytes: MAX_SCREEN_BYTES };
      for await (const step of this.#options.console.run(
        { statement, parameters, clusters, explain, ...bounds },
        signal,
      )) {
        switch (step.kind) {
          case 'columns': {
            const columns = step.names.map((name, index) => ({ name, type: step.types[index] ?? '' }));
            yield line({ kind: 'columns', columns });
            break;
          }
          case 'rows':
            run.rows += step.rows.length;
            yield `{"kind":"rows","rows":[${step.rows.join(',')}]}\n`;
            break;
          case 'end':
            run.outcome = 'done';
            yield line(step);
            break;
          default:
            yield line(step);
        }
      }
    } catch (error) {
      const problem = toProblem(error);
      run.fail(problem);
      yield line({ kind: 'problem', problem });
    }
  }

  /** Rows of an export in chunks. @throws SqlError, also in the middle */
  async *exportRows(
    { statement, parameters, format }: SqlExportInput,
    { requester, clusters }: SqlCaller,
    signal: AbortSignal,
  ): AsyncGenerator<readonly { readonly text: string }[]> {
    using run = this.#recorded('sql.export', statement, requester, { format });
    try {
      const form = format === 'csv' ? 'JSONCompactEachRowWithNamesAndTypes' : 'JSONEachRow';
      for await (const rows of this.#options.console.rows({ statement, parameters, clusters }, form, signal)) {
        run.rows += rows.length;
        yield rows;
      }
      run.outcome = 'done';
    } catch (error) {
      run.fail(toProblem(error));
      throw error;
    }
  }

  /** An export as the bytes of a Parquet file. @throws SqlError, also in the middle */
  async *exportParquet(
    { statement, parameters, format }: SqlExportInput,
    { requester, clusters }: SqlCaller,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer> {
    using run = this.#recorded('sql.export', statement, requester, { format });
    try {
      yield* this.#options.console.parquet({ statement, parameters, clusters }, signal);
      run.outcome = 'done';
    } catch (error) {
      run.fail(toProblem(error));
      throw error;
    }
  }

  saved({ text, requester }: Parameters<SqlPort['saved']>[0]): Promise<readonly SavedQuery[]> {
    const { store } = this.#options;
    return this.#asking.ask('saved queries', () =>
      savedQueries(store, { by: requester.actor, text }, { timeoutMs: ASK_TIMEOUT_MS }),
    );
  }

  savedQuery(id: string): Promise<SavedQuery | null> {
    const { store } = this.#options;
    return this.#asking.ask('saved query', () => savedQuery(store, id, { timeoutMs: ASK_TIMEOUT_MS }));
  }

  async save({ id, requester, ...query }: SavedQueryInput & { readonly requester: Requester }): Promise<SavedQuery> {
    if (id !== undefined) await this.#own(id, requester);
    const { store, now } = this.#options;
    const saved: SavedQuery = { ...query, id: id ?? randomUUID(), by: requester.actor, at: now() };
    await this.#asking.ask('save query', () => writeSavedQuery(store, { ...saved, removed: false }));
    return saved;
  }

  async remove({ id, requester }: { readonly id: string; readonly requester: Requester }): Promise<void> {
    const { store, now } = this.#options;
    const query = await this.#own(id, requester);
    await this.#asking.ask('remove query', () => writeSavedQuery(store, { ...query, at: now(), removed: true }));
  }

  async #own(id: string, { actor }: Requester): Promise<SavedQuery> {
    const query = await this.savedQuery(id);
    if (query === null) throw new ApiError('SAVED_QUERY_NOT_FOUND', `no saved query ${id}: it may have been removed`);
    if (query.by !== actor) {
      throw new ApiError('SAVED_QUERY_FOREIGN', `only ${query.by} may change '${query.name}': save a copy of your own`);
    }
    return query;
  }

  /** Tells the log and the audit what a run came to, when it is disposed; a run that nobody ended was stopped. */
  #recorded(action: SqlRun['action'], statement: string, requester: Requester, more: object) {
    const began = performance.now();
    const run = {
      rows: 0,
      outcome: 'stopped' as AuditRecord['outcome'],
      detail: '',
      fail({ code, message }: SqlProblem): void {
        run.outcome = OUTCOMES[code];
        run.detail = `${code}: ${message}`;
      },
      [Symbol.dispose]: (): void => {
        const seconds = Math.round(performance.now() - began) / 1000;
        const { outcome, rows, detail } = run;
        const hash = createHash('sha256').update(statement).digest('hex');
        const begin = statement.slice(0, TOLD_CHARACTERS);
        this.#options.telemetry.sqlRan({ action, outcome, rows, seconds, hash, begin, actor: requester.actor });
        const told = { statement: begin, sha256: hash, characters: statement.length, rows, ...more };
        void this.#record({ ...requester, action, outcome, detail, arguments: JSON.stringify(told), seconds });
      },
    };
    return run;
  }

  /** A run is of no one cluster: its record has none. One that cannot be kept is told in the log. */
  async #record({
    seconds,
    ...told
  }: Requester & Pick<AuditRecord, 'action' | 'outcome' | 'detail' | 'arguments'> & { readonly seconds: number }) {
    const { store, replica, telemetry, now } = this.#options;
    const id = randomUUID();
    const row: AuditRecord = {
      ...{ ...told, id, at: now(), cluster: '', target_kind: 'database', targets: [store.database] },
      ...{ answers: '[]', duration_seconds: seconds, request_id: id, replica },
    };
    try {
      await insertAudit(store, { rows: [row], token: id });
    } catch (error) {
      telemetry.sqlNotRecorded(error);
    }
  }
}

const OUTCOMES: Readonly<Record<SqlProblem['code'], AuditRecord['outcome']>> = {
  SQL_SYNTAX: 'refused',
  SQL_REFUSED: 'refused',
  SQL_PARAMETER: 'refused',
  SQL_BUSY: 'refused',
  SQL_STOPPED: 'stopped',
  SQL_FAILED: 'failed',
  SQL_TOO_LONG: 'failed',
  SQL_TOO_LARGE: 'failed',
  SQL_UNAVAILABLE: 'failed',
};

export function toProblem(error: unknown): SqlProblem {
  if (error instanceof SqlError) return { code: error.code, message: error.message, position: error.position };
  return { code: 'SQL_FAILED', message: 'something went wrong in the gateway; its log says what', position: null };
}
