import { readFileSync } from 'node:fs';
import type { SentEvent } from './traffic.ts';

/** A sent event as a line of the generator's file. */
export function ledgerLine({ id, type, taskId, name, at, exception, runtime }: SentEvent): string {
  return `${id}\t${type}\t${taskId}\t${name}\t${at.toFixed(6)}\t${exception}\t${runtime ?? ''}\n`;
}

/** What the generator says that it sent, in order. */
export function readLedger(path: string): SentEvent[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  if (lines.pop() !== '') throw new Error(`${path} ends in the middle of a line: the generator did not end in order`);
  return lines.map((line) => {
    const [id = '', type = '', taskId = '', name = '', at = '', exception = '', runtime = ''] = line.split('\t');
    return { id, type, taskId, name, at: Number(at), exception, runtime: runtime === '' ? null : Number(runtime) };
  });
}
