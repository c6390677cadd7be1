/** A question that people have, and the statement that answers it. */
export interface SqlExample {
  readonly title: string;
  readonly statement: string;
}

/** What docs/sql.md tells. */
export interface SqlDocs {
  readonly examples: readonly SqlExample[];
  /** What columns mean, by `table.column`: those of views have no comments in ClickHouse. */
  readonly meanings: ReadonlyMap<string, string>;
}

const EXAMPLE = /^(.+?):?\n\n```sql\n([^`]+)\n```/gm;
const TABLE = /^### (\w+)\n((?:(?!^###? ).*\n)*)/gm;
const COLUMN = /^\| (\w+) \| .+? \| (.+) \|$/gm;

/** An example is a line of text and a block of SQL; a table is a heading of the third level with a list of its columns. */
export function readDocs(markdown: string): SqlDocs {
  const examples = [...markdown.matchAll(EXAMPLE)].map(([, title = '', statement = '']) => ({ title, statement }));
  const meanings = [...markdown.matchAll(TABLE)].flatMap(([, table = '', text = '']) =>
    [...text.matchAll(COLUMN)].map(([, column = '', meaning = '']) => [`${table}.${column}`, meaning] as const),
  );
  return { examples, meanings: new Map(meanings) };
}
