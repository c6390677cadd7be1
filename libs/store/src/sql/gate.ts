import { isAllowedFunction } from './allowed-functions.ts';
import type { Lexed } from './lexer.ts';
import { PUBLIC_TABLES, TABLE_FUNCTIONS } from './public-tables.ts';
import { positionAt, SqlError } from './sql-error.ts';
import type { Node } from './tree.ts';

/** What the names of a statement mean. */
export interface Names {
  readonly database: string;
  /** Every table and view of the database, public or not. */
  readonly tables: ReadonlySet<string>;
}

/** What may be anywhere, with nothing to it but its children. */
const PLAIN_KINDS = new Set([
  'ArrayJoin',
  'Asterisk',
  'ColumnsExceptTransformer',
  'ColumnsListMatcher',
  'ColumnsRegexpMatcher',
  'ColumnsReplaceTransformer',
  'ColumnsReplaceTransformer::Replacement',
  'ColumnsTransformerList',
  'ExpressionList',
  'Identifier',
  'InterpolateElement',
  'OrderByElement',
  'QualifiedAsterisk',
  'QualifiedColumnsListMatcher',
  'QualifiedColumnsRegexpMatcher',
  'SelectIntersectExceptQuery',
  'SelectQuery',
  'Subquery',
  'TableJoin',
  'TablesInSelectQuery',
  'TablesInSelectQueryElement',
  'WindowDefinition',
  'WindowListElement',
  'WithElement',
]);

/** What is refused with a word of its own; anything else that is not known is refused by its name. */
const REFUSED_KINDS: Readonly<Record<string, { readonly word: string; readonly message: string }>> = {
  Set: { word: 'settings', message: 'a statement cannot have SETTINGS: limits and settings are chosen by Meadow' },
  ColumnsApplyTransformer: { word: 'apply', message: 'APPLY is not allowed: name the columns one by one' },
};

const IN_FUNCTIONS = new Set(['in', 'notin', 'nullin', 'notnullin']);
/** Functions that take the name of a type, and which of their arguments it is; -1 = the last. */
const TYPE_ARGUMENT = new Map([
  ['cast', 1],
  ['accuratecast', 1],
  ['accuratecastornull', 1],
  ['accuratecastordefault', 1],
  ['jsonextract', -1],
  ['jsonextractcaseinsensitive', -1],
  ['jsonextractkeysandvalues', -1],
  ['jsonextractkeysandvaluescaseinsensitive', -1],
]);

/**
 * Whether a statement may run, by its tree: one SELECT of public tables, tables that it makes itself and functions that are
 * allowed. What is not known is refused.
 * @returns names of the public tables that it reads, each once, sorted
 * @throws SqlError SQL_REFUSED
 */
export function judge(root: Node, lexed: Lexed, names: Names): readonly string[] {
  const own = ownTables(lexed);
  const read = new Set<string>();

  function refuse(message: string, near = ''): never {
    throw new SqlError('SQL_REFUSED', message, near === '' ? null : placeOf(lexed, near));
  }

  function judgeAll(nodes: readonly Node[]): void {
    for (const node of nodes) judgeNode(node);
  }

  function judgeNode(node: Node): void {
    switch (node.kind) {
      case 'SelectWithUnionQuery':
        // FORMAT, INTO OUTFILE and SETTINGS of a whole statement are further children
        if (node.children.length !== 1 || node.children[0]?.kind !== 'ExpressionList') judgeTail(node);
        return judgeAll(node.children);
      case 'TableExpression':
        return judgeTable(node);
      case 'Function':
        return judgeFunction(node);
      case 'Literal':
        return judgeLiteral(node);
      default:
        if (PLAIN_KINDS.has(node.kind)) return judgeAll(node.children);
        return refuseKind(node);
    }
  }

  function judgeTail(node: Node): never {
    for (const child of node.children) if (child.kind in REFUSED_KINDS) refuseKind(child);
    refuse('a statement cannot have FORMAT of its own: export its result instead', 'format');
  }

  function refuseKind({ kind }: Node): never {
    const known = REFUSED_KINDS[kind];
    refuse(known?.message ?? `only SELECT is allowed here (found ${kind})`, known?.word);
  }

  function judgeTable({ children: [what, ...more] }: Node): void {
    if (what?.kind === 'TableIdentifier' && what.children.length === 0) judgeName(what.text);
    else if (what?.kind === 'Function') judgeTableFunction(what);
    else if (what?.kind === 'Subquery') judgeNode(what);
    else refuse('only tables, table functions and subqueries can follow FROM');
    for (const node of more) {
      if (node.kind === 'SampleRatio') continue;
      if (node.kind !== 'ExpressionList' || node.children.some(({ kind }) => kind !== 'Identifier')) refuseKind(node);
    }
  }

  function judgeName(name: string): void {
    const [database, table, ...rest] = name.includes('.') ? name.split('.') : [names.database, name];
    if (rest.length === 0 && database === names.database && table !== undefined && PUBLIC_TABLES.includes(table)) {
      read.add(table);
      return;
    }
    // a table that the statement makes itself is known only in a part of it: elsewhere a stored one would answer to its name
    if (own.has(name) && !names.tables.has(name)) return;
    refuse(`there is no public table ${name}: the schema lists those that can be read`, name.split('.').at(-1));
  }

  function judgeTableFunction({ text, children }: Node): void {
    if (!TABLE_FUNCTIONS.some((name) => name.toLowerCase() === text.toLowerCase())) {
      refuse(`the table function ${text} is not allowed; these are: ${TABLE_FUNCTIONS.join(', ')}`, text);
    }
    judgeAll(children);
  }

  function judgeFunction({ text, children }: Node): void {
    if (!isAllowedFunction(text)) refuse(`the function ${text} is not allowed: the schema lists those that are`, text);
    const name = text.toLowerCase();
    const list = children[0]?.children ?? [];
    const type = TYPE_ARGUMENT.get(name);
    if (type !== undefined && list.at(type)?.kind !== 'Literal') {
      refuse(`${text} needs its type written out as a text`, text);
    }
    const [, among] = list;
    if (IN_FUNCTIONS.has(name) && among?.kind === 'Identifier') {
      // the name of a table, unless it is that of a column or an alias
      if (among.text.includes('.') || names.tables.has(among.text)) judgeName(among.text);
      judgeAll([...list.filter((node) => node !== among), ...children.slice(1)]);
      return;
    }
    judgeAll(children);
  }

  /** Bytes of a person's choice are not to be taken for the state of an aggregate function: these are not checked by the engine. */
  function judgeLiteral({ text }: Node): void {
    if (/aggregatefunction/i.test(text))
      refuse('the type AggregateFunction cannot be written here', 'AggregateFunction');
  }

  if (root.kind !== 'SelectWithUnionQuery') refuse('only SELECT is allowed here');
  judgeNode(root);
  return [...read].sort();
}

/** Names that `WITH name AS (` gives to tables, and aliases that look the same: both are the statement's own. */
function ownTables({ tokens }: Lexed): ReadonlySet<string> {
  const found = new Set<string>();
  tokens.forEach(({ kind, text }, index) => {
    if (kind !== 'word' && kind !== 'quoted') return;
    let next = index + 1;
    if (tokens[next]?.text === '(') next = tokens.findIndex((token, at) => at > next && token.text === ')') + 1;
    const as = tokens[next];
    if (as?.kind === 'word' && as.text.toUpperCase() === 'AS') found.add(text);
  });
  return found;
}

/** Where a name or keyword is written first. */
function placeOf({ tokens, text }: Lexed, word: string): ReturnType<typeof positionAt> | null {
  const token = tokens.find((each) => each.text.toLowerCase().includes(word.toLowerCase()));
  return token === undefined ? null : positionAt(text, token.start);
}
