import { z } from 'zod';
import type { Store } from '../store.ts';
import { ask, type AskOptions } from './options.ts';

const savedQueryRow = z.object({
  id: z.string(),
  name: z.string(),
  statement: z.string(),
  parameters: z.string().transform((text) => z.record(z.string(), z.string()).parse(JSON.parse(text))),
  shared: z.boolean(),
  /** '' when not known. */
  by: z.string(),
  /** Unix seconds. */
  at: z.number(),
});
/** A statement that somebody keeps, in its newest version. */
export type SavedQuery = z.output<typeof savedQueryRow>;

const MOST_QUERIES = 500;
const COLUMNS =
  'q.id AS id, q.name AS name, q.statement AS statement, q.parameters AS parameters, q.shared AS shared, ' +
  'q.by AS by, q.saved_at_micros / 1e6 AS at';

/** Those of one person and those that are shared, newest first, at most 500. @throws StoreError */
export async function savedQueries(
  store: Store,
  { by, text = '' }: { readonly by: string; readonly text?: string | undefined },
  options: AskOptions = {},
): Promise<SavedQuery[]> {
  return ask(
    store,
    'saved queries',
    savedQueryRow,
    `SELECT ${COLUMNS}
     FROM ${store.database}.saved_queries_raw AS q FINAL
     WHERE NOT q.removed AND (q.shared OR q.by = {by:String})
       AND ({text:String} = '' OR positionCaseInsensitiveUTF8(concat(q.name, ' ', q.statement), {text:String}) > 0)
     ORDER BY q.saved_at_micros DESC, q.id
     LIMIT ${MOST_QUERIES}`,
    { by, text },
    options,
  );
}

/** Null when there is none of this id, or no more. @throws StoreError */
export async function savedQuery(store: Store, id: string, options: AskOptions = {}): Promise<SavedQuery | null> {
  const rows = await ask(
    store,
    'saved query',
    savedQueryRow,
    `SELECT ${COLUMNS} FROM ${store.database}.saved_queries_raw AS q FINAL WHERE NOT q.removed AND q.id = {id:String}`,
    { id },
    options,
  );
  return rows[0] ?? null;
}

/** Writes a version of a query, or that it is no more. Written again with the same time, it changes nothing. @throws StoreError */
export async function writeSavedQuery(
  store: Store,
  { at, ...query }: SavedQuery & { readonly removed: boolean },
  options: AskOptions = {},
): Promise<void> {
  const saved_at_micros = Math.round(at * 1e6);
  const line = JSON.stringify({ ...query, parameters: JSON.stringify(query.parameters), saved_at_micros });
  await store.insert('saved_queries_raw', Buffer.from(`${line}\n`), {
    ...options,
    token: `${query.id} ${saved_at_micros} ${query.removed}`,
  });
}
