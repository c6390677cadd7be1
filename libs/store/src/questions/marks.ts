import { z } from 'zod';
import { seconds } from '../columns.ts';
import type { Store } from '../store.ts';
import { ask, type AskOptions, type TimeRange } from './options.ts';

const markRow = z.object({
  id: z.string(),
  /** '' for all. */
  cluster: z.string(),
  /** Unix seconds. */
  at: z.number(),
  kind: z.enum(['deployment', 'note']),
  title: z.string(),
  text: z.string(),
  url: z.string(),
  by: z.string(),
});
/** What was said of a moment. */
export type Mark = z.output<typeof markRow>;

/** Kept as long as the rollups whose charts it is drawn on. */
const KEPT_SECONDS = 400 * 86_400;
const MOST_MARKS = 500;

/** Marks of a span, oldest first; of more than 500 the newest. With a cluster, its own and those of all. @throws StoreError */
export async function markList(
  store: Store,
  input: TimeRange & { readonly cluster?: string | undefined },
  options: AskOptions = {},
): Promise<Mark[]> {
  const rows = await ask(
    store,
    'marks',
    markRow,
    `SELECT m.id AS id, m.cluster AS cluster, ${seconds('m.at')} AS at, m.kind AS kind, m.title AS title, m.text AS text,
            m.url AS url, m.by AS by
     FROM ${store.database}.marks AS m
     WHERE ({cluster:String} = '' OR m.cluster IN ({cluster:String}, ''))
       AND m.at >= toDateTime64({from:Float64}, 6, 'UTC') AND m.at < toDateTime64({to:Float64}, 6, 'UTC')
     ORDER BY m.at DESC, m.id
     LIMIT ${MOST_MARKS}`,
    { cluster: input.cluster ?? '', from: input.from, to: input.to },
    options,
  );
  return rows.reverse();
}

/** @param now Unix seconds @throws StoreError */
export async function addMark(store: Store, mark: Mark, now: number): Promise<void> {
  await writeMark(store, mark, false, now);
}

/** Takes a mark back. @returns whether there was one @param now Unix seconds @throws StoreError */
export async function removeMark(store: Store, id: string, now: number, options: AskOptions = {}): Promise<boolean> {
  const [mark] = await ask(
    store,
    'mark',
    markRow,
    `SELECT m.id AS id, m.cluster AS cluster, ${seconds('m.at')} AS at, m.kind AS kind, m.title AS title, m.text AS text,
            m.url AS url, m.by AS by
     FROM ${store.database}.marks AS m WHERE m.id = {id:String} LIMIT 1`,
    { id },
    options,
  );
  if (mark === undefined) return false;
  await writeMark(store, mark, true, now);
  return true;
}

async function writeMark(store: Store, mark: Mark, removed: boolean, now: number): Promise<void> {
  const keep_until = Math.floor(Math.max(mark.at, now)) + KEPT_SECONDS;
  const line = JSON.stringify({ ...mark, removed, written_at: now, keep_until });
  await store.insert('marks_in', Buffer.from(`${line}\n`), { token: `${mark.id} ${removed}` });
}
