import { poisonLine, TaskEventReader, TEXT_COLUMN, type BatchKind } from '@meadow/contract';
import { shortened } from './row.ts';

export const TOO_LARGE = 'BATCH_TOO_LARGE';

/** Of each text of a task's event at most this much is kept. */
const KEPT = 2_000;
const TEXTS = ['name', 'args', 'kwargs', 'result', 'exception', 'traceback', 'extra', 'queue', 'routing_key'] as const;

/**
 * What is kept of an event that fits no message of NATS, one JSON line, newline included. Secrets are hidden in `data`
 * already: a row of `TaskEventWriter`, or a JSON line of another kind.
 */
export function tooLargeLine(cluster: string, kind: BatchKind, data: Buffer, detail: string): string {
  const body = kind === 'task' ? taskBody(data) : shortened(data.toString());
  return poisonLine({ cluster, reason: TOO_LARGE, detail, size: data.length, body });
}

function taskBody(data: Buffer): string {
  const row = new TaskEventReader();
  row.begin(data);
  row.next();
  const told: Record<string, string> = { type: row.type, worker: row.worker, task_id: row.taskId };
  for (const text of TEXTS) told[text] = row.text(TEXT_COLUMN[text]);
  const kept = Object.entries(told).filter(([, value]) => value !== '');
  return JSON.stringify(Object.fromEntries(kept.map(([key, value]) => [key, value.slice(0, KEPT).toWellFormed()])));
}
