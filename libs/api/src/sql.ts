import type { Requester } from '@meadow/contract';
import { z } from 'zod';
import { shortText } from './inputs.ts';

/** The longest statement, characters: what does not fit is no question. */
export const MAX_STATEMENT = 100_000;
/** Rows of a run for the screen; an export has no such bound. */
export const MAX_SCREEN_ROWS = 10_000;

/** Where in a statement: `offset` in UTF-16 units from 0, `line` and `column` from 1. */
export interface SqlPosition {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/**
 * - `SQL_SYNTAX`: ClickHouse cannot read it.
 * - `SQL_REFUSED`: it reads what is not public, or uses what is not allowed here.
 * - `SQL_PARAMETER`: a parameter has no value, or one that is not of its type.
 * - `SQL_FAILED`: it was read and cannot be answered, e.g. a column that does not exist.
 * - `SQL_TOO_LONG`, `SQL_TOO_LARGE`: it took more time, or more memory, rows or bytes, than one statement may.
 * - `SQL_STOPPED`: somebody ended it.
 * - `SQL_BUSY`: others run; nothing was done, and it can be run again in a while.
 * - `SQL_UNAVAILABLE`: ClickHouse does not answer, or has no tables yet.
 */
export type SqlProblemCode =
  | 'SQL_SYNTAX'
  | 'SQL_REFUSED'
  | 'SQL_PARAMETER'
  | 'SQL_FAILED'
  | 'SQL_TOO_LONG'
  | 'SQL_TOO_LARGE'
  | 'SQL_STOPPED'
  | 'SQL_BUSY'
  | 'SQL_UNAVAILABLE';

/** Why a statement was not answered. The message is for people: what is wrong and what to do. */
export interface SqlProblem {
  readonly code: SqlProblemCode;
  readonly message: string;
  /** Null where the trouble is of no one place. */
  readonly position: SqlPosition | null;
}

/** A `{name:Type}` of a statement. */
export interface SqlParameter {
  readonly name: string;
  /** ClickHouse's name of the type, e.g. `DateTime` or `Array(String)`. */
  readonly type: string;
}

export interface SqlVerdict {
  /** Null when it may run. Names of columns are looked at only when it runs. */
  readonly problem: SqlProblem | null;
  /** In order of first use; none when it cannot be read. */
  readonly parameters: readonly SqlParameter[];
}

export interface SqlColumn {
  readonly name: string;
  /** ClickHouse's name of the type. */
  readonly type: string;
}

export interface SqlTableColumn extends SqlColumn {
  readonly comment: string;
}

/** A public table or view of the database `meadow`. */
export interface SqlTable {
  readonly name: string;
  readonly comment: string;
  /** Columns or expressions by which it is sorted; none for a view. */
  readonly sortingKey: readonly string[];
  readonly columns: readonly SqlTableColumn[];
}

export interface SqlExample {
  /** The question that the statement answers. */
  readonly title: string;
  readonly statement: string;
}

/** What there is to ask. */
export interface SqlSchema {
  readonly tables: readonly SqlTable[];
  /** Names of the functions that may be used; aggregate functions also with combinators such as `-If`. */
  readonly functions: readonly string[];
  readonly tableFunctions: readonly string[];
  readonly examples: readonly SqlExample[];
  readonly limits: SqlLimits;
}

/** What one statement may take. */
export interface SqlLimits {
  readonly seconds: number;
  readonly memoryBytes: number;
  readonly screenRows: number;
  readonly screenBytes: number;
}

/**
 * A value of a result. 64-bit and larger integers and decimals come as text, so that no digit is lost; NaN and infinities
 * as `nan`, `inf` and `-inf`; times as ClickHouse writes them, UTC.
 */
export type SqlValue = string | number | boolean | null | readonly SqlValue[] | { readonly [key: string]: SqlValue };

export interface SqlStatistics {
  /** Rows of the result, as many as were sent. */
  readonly rows: number;
  readonly seconds: number;
  /** As far as was heard while it ran; null when it was over before. */
  readonly rowsRead: number | null;
  readonly bytesRead: number | null;
  /** Whether there are more rows than were sent. */
  readonly cut: boolean;
}

/**
 * One line of the answer of `POST /sql/run`, which is NDJSON: `columns`, then `rows` and `progress` in any order, then one
 * `end` or `problem`. An answer without either was broken off.
 */
export type SqlLine =
  | { readonly kind: 'columns'; readonly columns: readonly SqlColumn[] }
  | { readonly kind: 'rows'; readonly rows: readonly (readonly SqlValue[])[] }
  | { readonly kind: 'progress'; readonly rowsRead: number; readonly bytesRead: number; readonly seconds: number }
  | { readonly kind: 'end'; readonly statistics: SqlStatistics }
  | { readonly kind: 'problem'; readonly problem: SqlProblem };

/** `plan`, `pipeline`: the text of `EXPLAIN`, a line a row; `estimate`: a table of parts, rows and marks to read. */
export const SQL_EXPLAINS = ['plan', 'pipeline', 'estimate'] as const;
export type SqlExplain = (typeof SQL_EXPLAINS)[number];

export const SQL_EXPORT_FORMATS = ['csv', 'json', 'ndjson', 'parquet'] as const;
export type SqlExportFormat = (typeof SQL_EXPORT_FORMATS)[number];

const statement = z.string().min(1, 'write a statement').max(MAX_STATEMENT, `at most ${MAX_STATEMENT} characters`);
/** Values as text, as ClickHouse reads them: `2026-11-22 10:00:00`, `['a','b']`. */
const parameters = z
  .record(z.string().regex(/^[A-Za-z_]\w{0,99}$/, 'a letter, then letters, digits and _'), z.string().max(100_000))
  .refine((values) => Object.keys(values).length <= 100, 'at most 100 parameters')
  .default({});

/** Body of `POST /sql/run`. */
export const sqlRunInput = z.strictObject({
  statement,
  parameters,
  /** Asks how it would be done instead of doing it. */
  explain: z.enum(SQL_EXPLAINS).optional(),
});
/** Body of `POST /sql/export?format=…`; of a GET the same in the address, parameters as `param_<name>`. */
export const sqlExportInput = z.strictObject({ statement, parameters, format: z.enum(SQL_EXPORT_FORMATS) });
export const sqlCheckInput = z.strictObject({ statement });

export const savedQueryInput = z.strictObject({
  /** Left out for a new one. */
  id: z.uuid().optional(),
  name: z.string().trim().min(1, 'give it a name').max(200, 'at most 200 characters'),
  statement,
  parameters,
  /** Whether others find it in their list; whoever has its id can open it. */
  shared: z.boolean().default(false),
});
export const savedQueryId = z.strictObject({ id: z.uuid() });
export const savedQueriesInput = z.strictObject({ text: shortText(200).optional() });

export type SqlRunInput = z.output<typeof sqlRunInput>;
export type SqlExportInput = z.output<typeof sqlExportInput>;
export type SavedQueryInput = z.output<typeof savedQueryInput>;

/** A saved query in its newest version. */
export interface SavedQuery {
  readonly id: string;
  readonly name: string;
  readonly statement: string;
  /** Values that its parameters had when it was saved. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly shared: boolean;
  /** Who saved it last; empty when not known. */
  readonly by: string;
  /** When that was, Unix seconds. */
  readonly at: number;
}

/** What the router asks about SQL. Running is no procedure: its answer is a stream of its own, `POST /sql/run`. */
export interface SqlConsole {
  schema(): Promise<SqlSchema>;
  /** Reads the statement without running it. */
  check(statement: string, signal: AbortSignal): Promise<SqlVerdict>;
  /** Own and shared ones, newest first, at most 500. */
  saved(input: { readonly text?: string | undefined; readonly requester: Requester }): Promise<readonly SavedQuery[]>;
  /** Null when there is none, or it was removed. */
  savedQuery(id: string): Promise<SavedQuery | null>;
  /** @throws ApiError SAVED_QUERY_NOT_FOUND, SAVED_QUERY_FOREIGN */
  save(input: SavedQueryInput & { readonly requester: Requester }): Promise<SavedQuery>;
  /** @throws ApiError SAVED_QUERY_NOT_FOUND, SAVED_QUERY_FOREIGN */
  remove(input: { readonly id: string; readonly requester: Requester }): Promise<void>;
}
