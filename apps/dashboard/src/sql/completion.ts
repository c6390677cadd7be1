import { codeOf } from './statement.ts';

/** What can be asked, for completion: tables with their columns, and functions. */
export interface Vocabulary {
  readonly tables: readonly {
    readonly name: string;
    readonly comment: string;
    readonly columns: readonly { readonly name: string; readonly type: string; readonly comment: string }[];
  }[];
  readonly functions: readonly string[];
}

/** One thing that could stand at the cursor. */
interface Proposal {
  readonly label: string;
  readonly kind: 'table' | 'column' | 'function' | 'keyword';
  /** Type of a column; '' where there is none. */
  readonly detail: string;
  readonly info: string;
}

/** What could stand at a place, and where the word begins that it replaces. */
export interface Proposals {
  readonly from: number;
  readonly options: readonly Proposal[];
}

const WORD = /[A-Za-z_]\w*$/;
const SOURCE = /\b(?:FROM|JOIN|,)\s+(?:meadow\s*\.\s*)?([A-Za-z_]\w*)(?:\s+FINAL\b)?(?:\s+(?:AS\s+)?([A-Za-z_]\w*))?/gi;

/**
 * What could stand at the cursor: after `alias.` the columns of that table, after `meadow.` or FROM the tables, else the
 * columns of the tables that the statement names, functions and keywords. Null within texts and comments, and where
 * nothing was begun unless it is asked for.
 */
export function proposalsAt(text: string, cursor: number, words: Vocabulary, asked: boolean): Proposals | null {
  const code = codeOf(text);
  const before = code.slice(0, cursor);
  // what is blanked out is a text, a comment or a quoted name
  if (cursor > 0 && code[cursor - 1] === ' ' && text[cursor - 1] !== ' ') return null;
  const word = WORD.exec(before)?.[0] ?? '';
  const from = cursor - word.length;
  const lead = before.slice(0, from);
  const owner = /([A-Za-z_]\w*)\s*\.\s*$/.exec(lead)?.[1];
  if (owner !== undefined) {
    const options =
      owner.toLowerCase() === 'meadow' ? tables(words) : columns(words, sources(code).get(owner) ?? owner);
    return options.length === 0 ? null : { from, options };
  }
  if (/\b(?:FROM|JOIN)\s+$/i.test(lead)) return { from, options: tables(words, 'meadow.') };
  if (word === '' && !asked) return null;
  const named = new Set(sources(code).values());
  const known = words.tables.filter(({ name }) => named.has(name));
  const seen = new Set<string>();
  const options = known
    .flatMap(({ name }) => columns(words, name))
    .filter(({ label }) => !seen.has(label) && seen.add(label));
  const keywords = KEYWORDS.map((label): Proposal => ({ label, kind: 'keyword', detail: '', info: '' }));
  const functions = words.functions.map((label): Proposal => ({ label, kind: 'function', detail: '', info: '' }));
  return { from, options: [...options, ...keywords, ...functions] };
}

/** Tables by the names that they have in a statement: their own and their aliases. */
function sources(code: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, table = '', alias] of code.matchAll(SOURCE)) {
    found.set(table, table);
    if (alias !== undefined && !RESERVED.has(alias.toUpperCase())) found.set(alias, table);
  }
  return found;
}

function tables({ tables: all }: Vocabulary, prefix = ''): Proposal[] {
  return all.map(({ name, comment }) => ({ label: `${prefix}${name}`, kind: 'table', detail: '', info: comment }));
}

function columns({ tables: all }: Vocabulary, table: string): Proposal[] {
  const found = all.find(({ name }) => name === table)?.columns ?? [];
  return found.map(({ name, type, comment }) => ({ label: name, kind: 'column', detail: type, info: comment }));
}

/** Keywords of ClickHouse's SELECT. */
export const KEYWORDS: readonly string[] = (
  'SELECT DISTINCT FROM FINAL SAMPLE PREWHERE WHERE HAVING QUALIFY WITH RECURSIVE TOTALS ROLLUP CUBE LIMIT OFFSET TIES ' +
  'UNION ALL EXCEPT INTERSECT JOIN LEFT RIGHT INNER OUTER FULL CROSS ANTI SEMI ASOF ANY ARRAY ON USING AS AND OR NOT IN ' +
  'GLOBAL BETWEEN LIKE ILIKE IS NULL ASC DESC NULLS FIRST LAST CASE WHEN THEN ELSE END INTERVAL SECOND MINUTE HOUR DAY ' +
  'WEEK MONTH QUARTER YEAR OVER PARTITION ROWS RANGE UNBOUNDED PRECEDING FOLLOWING CURRENT ROW WINDOW FILL STEP ' +
  'INTERPOLATE GROUP ORDER BY EXPLAIN PLAN PIPELINE ESTIMATE REPLACE APPLY COLUMNS EXTRACT CAST TRUE FALSE'
).split(' ');
const RESERVED: ReadonlySet<string> = new Set(KEYWORDS);
