import { clusterName } from '@meadow/contract';
import { z } from 'zod';
import type { WorkerLine } from './answers.ts';
import { shortText } from './inputs.ts';

/** Workers that something is to be done to; what is left out narrows nothing. */
export const audienceInput = z.strictObject({
  cluster: clusterName.optional(),
  pool: shortText(500).optional(),
  /** A worker's name, each `*` in it for anything: `celery@web-*`. */
  worker: shortText(500).optional(),
  /** @default those that may hear it: all but `offline` ones */
  states: z
    .array(z.enum(['online', 'lost', 'quiet', 'offline']))
    .min(1, 'leave it out rather than empty')
    .default(['online', 'lost', 'quiet']),
});
export type AudienceInput = z.output<typeof audienceInput>;

/** A worker as the preview of an action names it. */
export type Addressed = Pick<WorkerLine, 'cluster' | 'worker' | 'pool' | 'state'>;

/** Whom it is about, by cluster and name. */
export function audienceOf(
  lines: readonly WorkerLine[],
  { cluster, pool, worker, states }: AudienceInput,
): Addressed[] {
  const pieces = worker?.split('*');
  return lines
    .filter(
      (line) =>
        (cluster ?? line.cluster) === line.cluster &&
        (pool ?? line.pool) === line.pool &&
        states.includes(line.state) &&
        (pieces === undefined || matches(line.worker, pieces)),
    )
    .map((line) => ({ cluster: line.cluster, worker: line.worker, pool: line.pool, state: line.state }))
    .sort((a, b) => (a.cluster === b.cluster ? (a.worker < b.worker ? -1 : 1) : a.cluster < b.cluster ? -1 : 1));
}

/** @param pieces what stands between the stars; one piece is the whole name */
function matches(name: string, pieces: readonly string[]): boolean {
  const [first = '', ...others] = pieces;
  const last = others.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const piece of others) {
    const found = name.indexOf(piece, at);
    if (found === -1) return false;
    at = found + piece.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
