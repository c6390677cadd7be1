import { TaskEventReader, type BatchKind, type PoisonRecord } from '@meadow/contract';
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
  const record: PoisonRecord = {
    cluster,
    collected_at: Date.now() / 1000,
    reason: TOO_LARGE,
    detail: detail.slice(0, 1_000),
    content_type: '',
    routing_key: '',
    size: data.length,
    body: kind === 'task' ? taskBody(data) : shortened(data.toString()),
  };
  // what was cut may end in half a character, which the store's UTF-8 cannot hold
  return `${JSON.stringify(record, (_, value: unknown) => (typeof value === 'string' ? value.toWellFormed() : value))}\n`;
}

function taskBody(data: Buffer): string {
  const row = new TaskEventReader();
  row.begin(data);
  row.next();
  const told: Record<string, string> = { type: row.type, worker: row.worker, task_id: row.taskId };
  for (const text of TEXTS) told[text] = row.text(text);
  const kept = Object.entries(told).filter(([, value]) => value !== '');
  return JSON.stringify(Object.fromEntries(kept.map(([key, value]) => [key, value.slice(0, KEPT).toWellFormed()])));
}
