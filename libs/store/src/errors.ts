import { ClickHouseError } from '@clickhouse/client';

/**
 * - `STORE_UNREACHABLE`: no answer at all: refused, reset, name not found.
 * - `STORE_TIMEOUT`: the deadline of the call passed, ours or ClickHouse's own.
 * - `STORE_OVERLOADED`: ClickHouse works but cannot take this now: memory, disk, parts, queries at once, read-only.
 * - `STORE_DENIED`: wrong user, password or grants.
 * - `STORE_SCHEMA_MISSING`: the database or a table of it does not exist: `migrate` has not run.
 * - `STORE_SCHEMA_NEWER`: the database was migrated by a newer release than this one.
 * - `STORE_SCHEMA_CHANGED`: an applied migration differs from the file of the same number.
 * - `STORE_BATCH_TOO_LARGE`: more in one insert than is written as one block, so it could not be repeated exactly.
 * - `STORE_REJECTED`: ClickHouse understood and refused: a row it cannot parse, a wrong statement.
 * - `STORE_BAD_ROW`: ClickHouse answered with a row that is not what the question promises.
 * - `STORE_BAD_CURSOR`: a paging cursor that this library did not make.
 */
export type StoreErrorCode =
  | 'STORE_UNREACHABLE'
  | 'STORE_TIMEOUT'
  | 'STORE_OVERLOADED'
  | 'STORE_DENIED'
  | 'STORE_SCHEMA_MISSING'
  | 'STORE_SCHEMA_NEWER'
  | 'STORE_SCHEMA_CHANGED'
  | 'STORE_BATCH_TOO_LARGE'
  | 'STORE_REJECTED'
  | 'STORE_BAD_ROW'
  | 'STORE_BAD_CURSOR';

const RETRYABLE: readonly StoreErrorCode[] = ['STORE_UNREACHABLE', 'STORE_TIMEOUT', 'STORE_OVERLOADED'];

/** Every failure of this library, but a caller's own abort: that throws the signal's reason. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  /** What was being done, e.g. `insert task_events`. */
  readonly operation: string;
  /** Whether the rows of an insert are known to be the trouble: however often they are written, they are refused. */
  readonly isOfRows: boolean;
  /** ClickHouse's own error number, e.g. '241'; null when it did not answer. */
  readonly clickhouseCode: string | null;

  constructor(
    code: StoreErrorCode,
    message: string,
    facts: { operation: string; clickhouseCode?: string | null; cause?: unknown },
  ) {
    super(message, { cause: facts.cause });
    this.code = code;
    this.retryable = RETRYABLE.includes(code);
    this.operation = facts.operation;
    this.clickhouseCode = facts.clickhouseCode ?? null;
    this.isOfRows = code === 'STORE_BATCH_TOO_LARGE' || ROW_ERRORS.has(this.clickhouseCode ?? '');
  }
}

/** What ClickHouse says of values that it cannot read or keep: `CANNOT_PARSE_…`, `INCORRECT_DATA` and their like. */
const ROW_ERRORS = new Set(
  [6, 25, 26, 27, 32, 33, 38, 41, 43, 53, 69, 70, 72, 117, 128, 130, 131, 321, 349, 407, 441, 467, 675, 676].map(
    String,
  ),
);

/**
 * ClickHouse's error numbers that are not simply a refusal. They are stable: new ones are only ever added.
 * https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
 */
const MEANING: Readonly<Record<string, StoreErrorCode>> = {
  '159': 'STORE_TIMEOUT', // TIMEOUT_EXCEEDED
  '160': 'STORE_TIMEOUT', // TOO_SLOW
  '209': 'STORE_TIMEOUT', // SOCKET_TIMEOUT
  '210': 'STORE_UNREACHABLE', // NETWORK_ERROR
  '279': 'STORE_UNREACHABLE', // ALL_CONNECTION_TRIES_FAILED
  '164': 'STORE_OVERLOADED', // READONLY: a server that is starting, or its disk turned read-only
  '75': 'STORE_OVERLOADED', // CANNOT_WRITE_TO_FILE_DESCRIPTOR: a full disk, as are the next two
  '76': 'STORE_OVERLOADED', // CANNOT_OPEN_FILE
  '1001': 'STORE_OVERLOADED', // STD_EXCEPTION: std::filesystem's own errors
  '202': 'STORE_OVERLOADED', // TOO_MANY_SIMULTANEOUS_QUERIES
  '203': 'STORE_OVERLOADED', // NO_FREE_CONNECTION
  '225': 'STORE_OVERLOADED', // NO_ZOOKEEPER
  '236': 'STORE_OVERLOADED', // ABORTED: the server shuts down
  '241': 'STORE_OVERLOADED', // MEMORY_LIMIT_EXCEEDED
  '242': 'STORE_OVERLOADED', // TABLE_IS_READ_ONLY
  '243': 'STORE_OVERLOADED', // NOT_ENOUGH_SPACE
  '252': 'STORE_OVERLOADED', // TOO_MANY_PARTS
  '285': 'STORE_OVERLOADED', // TOO_FEW_LIVE_REPLICAS
  '319': 'STORE_OVERLOADED', // UNKNOWN_STATUS_OF_INSERT
  '394': 'STORE_OVERLOADED', // QUERY_WAS_CANCELLED
  '439': 'STORE_OVERLOADED', // CANNOT_SCHEDULE_TASK
  '999': 'STORE_OVERLOADED', // KEEPER_EXCEPTION
  '192': 'STORE_DENIED', // UNKNOWN_USER
  '193': 'STORE_DENIED', // WRONG_PASSWORD
  '497': 'STORE_DENIED', // ACCESS_DENIED
  '516': 'STORE_DENIED', // AUTHENTICATION_FAILED
  '60': 'STORE_SCHEMA_MISSING', // UNKNOWN_TABLE
  '81': 'STORE_SCHEMA_MISSING', // UNKNOWN_DATABASE
};

/** The one place where a foreign error becomes ours. @param timedOut whether our own deadline ended the call */
export function toStoreError(error: unknown, operation: string, timedOut: boolean): StoreError {
  if (error instanceof StoreError) return error;
  if (error instanceof ClickHouseError) {
    const code = MEANING[error.code] ?? 'STORE_REJECTED';
    return new StoreError(
      code,
      `${operation}: clickhouse error ${error.code} (${error.type ?? 'unnamed'}): ${error.message}`,
      {
        operation,
        clickhouseCode: error.code,
        cause: error,
      },
    );
  }
  if (timedOut)
    return new StoreError('STORE_TIMEOUT', `${operation}: no answer within the deadline`, { operation, cause: error });
  const detail = error instanceof Error ? (systemCode(error) ?? error.message) : String(error);
  return new StoreError('STORE_UNREACHABLE', `${operation}: no answer from clickhouse: ${detail}`, {
    operation,
    cause: error,
  });
}

/** `ECONNREFUSED` and its like; a failed dual-stack connect has an empty message and the code beside it. */
function systemCode(error: Error): string | null {
  return 'code' in error && typeof error.code === 'string' ? error.code : null;
}
