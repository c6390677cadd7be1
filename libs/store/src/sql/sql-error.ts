/** Where in a statement: `offset` in UTF-16 units from 0, `line` and `column` from 1. */
export interface SqlPosition {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/**
 * - `SQL_SYNTAX`: ClickHouse cannot read it.
 * - `SQL_REFUSED`: it reads what is not public, or uses what is not allowed.
 * - `SQL_PARAMETER`: a parameter has no value, or one that is not of its type.
 * - `SQL_FAILED`: it was read and cannot be answered, e.g. a column that does not exist.
 * - `SQL_TOO_LONG`, `SQL_TOO_LARGE`: it took more time, or more memory, rows or bytes, than one statement may.
 * - `SQL_STOPPED`: somebody ended it.
 * - `SQL_BUSY`: as many statements run as may; nothing was done.
 * - `SQL_UNAVAILABLE`: ClickHouse does not answer, or has no tables yet.
 */
export type SqlErrorCode =
  | 'SQL_SYNTAX'
  | 'SQL_REFUSED'
  | 'SQL_PARAMETER'
  | 'SQL_FAILED'
  | 'SQL_TOO_LONG'
  | 'SQL_TOO_LARGE'
  | 'SQL_STOPPED'
  | 'SQL_BUSY'
  | 'SQL_UNAVAILABLE';

/** Why a person's statement was not answered. The message is for that person: what is wrong, and what to do. */
export class SqlError extends Error {
  override readonly name = 'SqlError';
  readonly code: SqlErrorCode;
  /** Null where the trouble is of no one place. */
  readonly position: SqlPosition | null;

  constructor(code: SqlErrorCode, message: string, position: SqlPosition | null = null, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.position = position;
  }
}

export function positionAt(text: string, offset: number): SqlPosition {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { offset, line: before.split('\n').length, column: offset - lineStart + 1 };
}
