import { z } from 'zod';
import { PUBLIC_TABLES } from '../sql/public-tables.ts';
import type { Store } from '../store.ts';
import { ask, type AskOptions } from './options.ts';

const tableRow = z.object({
  name: z.string(),
  comment: z.string(),
  /** Columns or expressions by which it is sorted; none for a view. */
  sortingKey: z.string().transform((text) => splitKey(text)),
  columns: z.array(z.object({ name: z.string(), type: z.string(), comment: z.string() })),
});
/** A table or view that people may ask. */
export type PublicTable = z.output<typeof tableRow>;

/** Every public table that there is, most asked first, with its columns in their order. @throws StoreError */
export async function publicSchema(store: Store, options: AskOptions = {}): Promise<PublicTable[]> {
  return ask(
    store,
    'public schema',
    tableRow,
    `SELECT
         t.name AS name,
         any(t.comment) AS comment,
         any(t.sorting_key) AS sortingKey,
         arrayMap(c -> c.2, arraySort(groupArray((
             c.position,
             CAST((c.name, c.type, c.comment), 'Tuple(name String, type String, comment String)')
         )))) AS columns
     FROM system.tables AS t
     JOIN system.columns AS c ON c.database = t.database AND c.table = t.name
     WHERE t.database = {database:String} AND t.name IN {tables:Array(String)}
     GROUP BY t.name
     ORDER BY indexOf({tables:Array(String)}, t.name)`,
    { database: store.database, tables: PUBLIC_TABLES },
    options,
  );
}

/** At commas that are in no brackets. */
function splitKey(text: string): string[] {
  return text === '' ? [] : text.split(/,\s*(?![^(]*\))/);
}
