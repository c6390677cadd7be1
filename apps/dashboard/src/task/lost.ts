import type { LostReason, TaskRow } from '@meadow/contract';

const REASONS: Readonly<Record<LostReason, string>> = {
  'worker-offline': 'said goodbye without having ended this task',
  'worker-lost': 'has not been heard of since: it was killed, or is cut off',
  'worker-restarted': 'was replaced by another process of the same name',
  'event-lost':
    'lives and runs nothing. Events were missed meanwhile, most likely the one that told how this task ended',
  'no-end':
    'lives and runs nothing, and told no end: the task raised Ignore or Reject, or its last event was lost unnoticed',
};

/** What is known of a LOST task and what may come of it, in sentences. */
export function lostInWords(task: Pick<TaskRow, 'worker' | 'pid' | 'started_at' | 'end_reason'>): readonly string[] {
  const { worker, pid, started_at, end_reason } = task;
  const process = pid === null ? '' : ` (process ${pid})`;
  // a newer release may know reasons that this page does not
  const why = Object.hasOwn(REASONS, end_reason) ? REASONS[end_reason as LostReason] : end_reason;
  const sentences = [`Its worker ${worker}${process} ${why}.`];
  if (end_reason === 'event-lost' || end_reason === 'no-end') {
    sentences.push('With a result backend configured, Meadow finds such ends there.');
  } else if (started_at === null) {
    sentences.push(
      'It had not been started: the broker delivers it again, RabbitMQ at once, Redis after its visibility timeout.',
    );
  } else {
    sentences.push(
      'With acks_late the broker delivers it again, RabbitMQ at once, Redis after its visibility timeout. Without, it is gone.',
    );
  }
  sentences.push('Whatever is heard of it later counts instead.');
  return sentences;
}
