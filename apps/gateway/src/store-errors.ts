import { ApiError, type ApiErrorCode } from '@meadow/api';
import { StoreError, type StoreErrorCode } from '@meadow/store';

const TOLD: Readonly<Record<StoreErrorCode, { readonly code: ApiErrorCode; readonly message: string }>> = {
  STORE_UNREACHABLE: { code: 'STORE_UNAVAILABLE', message: 'ClickHouse does not answer' },
  STORE_OVERLOADED: { code: 'STORE_UNAVAILABLE', message: 'ClickHouse cannot take questions right now' },
  STORE_DENIED: { code: 'STORE_UNAVAILABLE', message: "ClickHouse refuses the gateway's user or password" },
  STORE_TIMEOUT: { code: 'STORE_TIMEOUT', message: 'ClickHouse did not answer in time' },
  STORE_SCHEMA_MISSING: {
    code: 'STORE_NOT_READY',
    message: 'ClickHouse has no Meadow tables yet: the aggregator creates them at its first start',
  },
  STORE_SCHEMA_NEWER: {
    code: 'STORE_NOT_READY',
    message: 'ClickHouse holds the tables of a newer Meadow than this gateway',
  },
  STORE_SCHEMA_CHANGED: { code: 'STORE_NOT_READY', message: 'the tables in ClickHouse are not those of this Meadow' },
  STORE_BAD_CURSOR: { code: 'CURSOR_INVALID', message: 'not a cursor of this list: ask for the first page again' },
  STORE_BATCH_TOO_LARGE: { code: 'STORE_FAILED', message: 'ClickHouse refused the question' },
  STORE_REJECTED: { code: 'STORE_FAILED', message: 'ClickHouse refused the question' },
  STORE_BAD_ROW: { code: 'STORE_FAILED', message: 'ClickHouse holds a row that this gateway cannot read' },
};

/** A failed question as callers are told it. ClickHouse's own words stay in the log: they may quote data. */
export function toApiError(question: string, error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof StoreError) {
    const { code, message } = TOLD[error.code];
    return new ApiError(code, `${message} (${question})`, error);
  }
  if (error instanceof DOMException) return new ApiError('STORE_TIMEOUT', `nobody waits any more (${question})`, error);
  return new ApiError('STORE_FAILED', `the question failed (${question})`, error);
}
