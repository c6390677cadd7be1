import { excerpt } from '../errors.ts';

/** Of a reason, which quotes what was found. */
const MOST_CHARACTERS = 800;

/** Where a part of a retry was read, the most faithful first. */
export type RetryOrigin = 'message' | 'worker' | 'result' | 'events';

/**
 * Why a task cannot be repeated exactly. Stable.
 *
 * - `RETRY_ARGS_UNKNOWN`: nothing tells its arguments
 * - `RETRY_ARGS_CUT`: only a part of them is left
 * - `RETRY_ARGS_MASKED`: a secret among them was hidden before it was stored
 * - `RETRY_ARGS_NOT_JSON`: a value among them has no form in JSON
 * - `RETRY_ARGS_UNSURE`: a text among them can be read in two ways
 * - `RETRY_ARGS_UNREADABLE`: what tells them is no repr of arguments
 * - `RETRY_NEVER_SENT`: it is a link of a chain that ended before it, and never had all of its arguments
 * - `RETRY_SOURCES_DIFFER`: the result backend and the events tell different arguments
 * - `RETRY_MESSAGE_NOT_JSON`: its message is a pickle, signed, or in another form that is not JSON
 * - `RETRY_SOURCE_UNREADABLE`: its message, or what else tells of it, cannot be decoded
 * - `RETRY_OTHER_TASK`: the message given is another task's
 * - `RETRY_NAME_UNKNOWN`, `RETRY_ROUTE_UNKNOWN`: nothing tells its name, or where it was sent
 * - `RETRY_REQUEST_INVALID`: what was found is nothing that can be sent
 */
export type RetryRefusalCode =
  | `RETRY_ARGS_${'UNKNOWN' | 'CUT' | 'MASKED' | 'NOT_JSON' | 'UNSURE' | 'UNREADABLE'}`
  | 'RETRY_MESSAGE_NOT_JSON'
  | 'RETRY_SOURCE_UNREADABLE'
  | 'RETRY_NEVER_SENT'
  | 'RETRY_SOURCES_DIFFER'
  | 'RETRY_OTHER_TASK'
  | 'RETRY_NAME_UNKNOWN'
  | 'RETRY_ROUTE_UNKNOWN'
  | 'RETRY_REQUEST_INVALID';

export interface RetryRefusal {
  readonly kind: 'refused';
  readonly code: RetryRefusalCode;
  /** One line, with the remedy where there is one. */
  readonly reason: string;
}

/**
 * What whoever sends a retry should know first. Stable.
 *
 * - `RUNS_AGAIN`: of every retry
 * - `ORIGINAL_WAITS`: the original is still with the broker or a worker, and runs too
 * - `WORKFLOW_LEFT`: what followed the original, or waited for it, does not follow the retry
 * - `WORKFLOW_UNKNOWN`: whether anything did is not known
 * - `ETA_DROPPED`, `EXPIRES_DROPPED`: the original had one
 * - `STAMPS_KEPT`: a stamp that was revoked keeps the retry from running
 * - `HEADERS_DROPPED`: headers of the application's that cannot be sent
 * - `OPTIONS_UNKNOWN`: priority, time limits, headers and stamps of the original are not told
 * - `DEAD_LETTERED`: found in a dead letter queue, sent to the one before it
 * - `EXCHANGE_ROUTED`: every queue bound to the exchange for this key gets it
 * - `ROUTING_KEY_AS_QUEUE`: only the routing key is known; it is taken for the queue's name
 * - `ARGS_AFTER_RUN`: the arguments as the task left them, if it changed them in place
 * - `ARGS_FROM_REPR`: the arguments as their publisher described them
 * - `TUPLES_BECOME_LISTS`: as in every message that is JSON
 */
export type RetryWarningCode =
  | 'RUNS_AGAIN'
  | 'ORIGINAL_WAITS'
  | 'WORKFLOW_LEFT'
  | 'WORKFLOW_UNKNOWN'
  | 'ETA_DROPPED'
  | 'EXPIRES_DROPPED'
  | 'STAMPS_KEPT'
  | 'HEADERS_DROPPED'
  | 'OPTIONS_UNKNOWN'
  | 'DEAD_LETTERED'
  | 'EXCHANGE_ROUTED'
  | 'ROUTING_KEY_AS_QUEUE'
  | 'ARGS_AFTER_RUN'
  | 'ARGS_FROM_REPR'
  | 'TUPLES_BECOME_LISTS';

export interface RetryWarning {
  readonly code: RetryWarningCode;
  readonly text: string;
}

export function refused(code: RetryRefusalCode, reason: string): RetryRefusal {
  return { kind: 'refused', code, reason: excerpt(reason.replaceAll(/\s+/g, ' '), MOST_CHARACTERS) };
}

export function warning(code: RetryWarningCode, text: string): RetryWarning {
  return { code, text };
}
