import type { TRPC_ERROR_CODE_KEY } from '@trpc/server';

/** What each failure means in HTTP's terms. 5xx can be asked again; 4xx cannot. */
const HTTP_MEANING = {
  /** No such task in that cluster (any more). */
  TASK_NOT_FOUND: 'NOT_FOUND',
  /** No worker of that name was heard in that cluster lately. */
  WORKER_NOT_FOUND: 'NOT_FOUND',
  /** No such mark (any more). */
  MARK_NOT_FOUND: 'NOT_FOUND',
  /** No such group of errors in that cluster (any more). */
  ERROR_NOT_FOUND: 'NOT_FOUND',
  /** A query for tasks that cannot be read; where, is told beside it. */
  QUERY_INVALID: 'BAD_REQUEST',
  /** No such saved query (any more). */
  SAVED_QUERY_NOT_FOUND: 'NOT_FOUND',
  /** Only who saved a query may change or remove it. */
  SAVED_QUERY_FOREIGN: 'FORBIDDEN',
  /** A paging cursor that is not of this list. */
  CURSOR_INVALID: 'BAD_REQUEST',
  /** Control, or a worker's broker, would not do it: the words say what to change. Nothing was sent. */
  CONTROL_REFUSED: 'BAD_REQUEST',
  /** No control service answers for the cluster now. */
  CONTROL_UNAVAILABLE: 'SERVICE_UNAVAILABLE',
  /** ClickHouse does not answer, or cannot take questions now. */
  STORE_UNAVAILABLE: 'SERVICE_UNAVAILABLE',
  /** ClickHouse answers, but has not been migrated yet. */
  STORE_NOT_READY: 'SERVICE_UNAVAILABLE',
  /** The question took longer than its deadline. */
  STORE_TIMEOUT: 'GATEWAY_TIMEOUT',
  /** ClickHouse refused the question or answered what was not asked. */
  STORE_FAILED: 'INTERNAL_SERVER_ERROR',
  /** NATS does not answer: nothing live can be shown. */
  BUS_UNAVAILABLE: 'SERVICE_UNAVAILABLE',
  /** As many live views are open as one gateway serves. */
  LIVE_FULL: 'TOO_MANY_REQUESTS',
  /** This gateway is about to end; another, or its successor, answers. */
  GATEWAY_STOPPING: 'SERVICE_UNAVAILABLE',
} as const satisfies Record<string, TRPC_ERROR_CODE_KEY>;

export type ApiErrorCode = keyof typeof HTTP_MEANING;

/** A failure that callers may tell apart by `code`. Its message is shown to people and holds no secret. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  /** Where in a text it lies, UTF-16 units; null when it lies in none. */
  readonly place: { readonly position: number; readonly length: number } | null;

  constructor(code: ApiErrorCode, message: string, cause?: unknown, place: ApiError['place'] = null) {
    super(message, { cause });
    this.code = code;
    this.place = place;
  }

  /** The tRPC code, and by it the HTTP status, that tells this failure. */
  get trpcCode(): TRPC_ERROR_CODE_KEY {
    return HTTP_MEANING[this.code];
  }
}
