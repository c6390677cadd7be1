import type { BrokerFacts } from '../errors.ts';

/** Why a task was not sent, or may not have been. Stable: documented, stored and shown. */
export const SEND_ERROR_CODES = [
  /** No queue would have it: it would have vanished. */
  'SEND_UNROUTABLE',
  'SEND_EXCHANGE_MISSING',
  /** The broker said no: the queue is full or no queue, the user may not, there is no memory. */
  'SEND_REFUSED',
  /** RabbitMQ takes nothing while it is short of memory or disk. */
  'SEND_BLOCKED',
  /** A task of the same id is just being sent. */
  'SEND_TWICE',
  /** It left, and no answer came: it may run, or not. */
  'SEND_OUTCOME_UNKNOWN',
] as const;

export type SendErrorCode = (typeof SEND_ERROR_CODES)[number];

/**
 * A task that was not sent; with the code `SEND_OUTCOME_UNKNOWN`, one that may have been. The message is one line: cluster,
 * endpoint (masked), task, what is wrong, and the remedy, which is also a field of its own.
 */
export class TaskSendError extends Error {
  override readonly name = 'TaskSendError';
  readonly code: SendErrorCode;
  readonly cluster: string;
  readonly endpoint: string;
  readonly taskId: string;
  readonly remedy: string;

  constructor(code: SendErrorCode, facts: SendFailureFacts, problem: string, remedy: string, cause?: unknown) {
    const subject = `cluster ${facts.cluster}: ${facts.endpoint}: task ${facts.taskId}`;
    super(`${subject}: ${problem}; ${remedy}`.replace(/[\r\n]+/g, ' '), cause === undefined ? undefined : { cause });
    this.code = code;
    this.cluster = facts.cluster;
    this.endpoint = facts.endpoint;
    this.taskId = facts.taskId;
    this.remedy = remedy;
  }
}

export interface SendFailureFacts extends BrokerFacts {
  readonly taskId: string;
}

/** Of a task that left, where no answer came, or the connection went before it. */
export function unknownOutcome(facts: SendFailureFacts, problem: string, cause?: unknown): TaskSendError {
  const remedy = 'look for the task before it is sent again, or it may run twice';
  return new TaskSendError('SEND_OUTCOME_UNKNOWN', facts, problem, remedy, cause);
}
