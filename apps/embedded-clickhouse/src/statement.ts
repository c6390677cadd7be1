import { exception } from './exception.ts';

/**
 * What the server has to know of a statement before the engine sees it:
 * - `select`: its result can be streamed;
 * - `read`: SHOW, DESCRIBE, EXISTS, EXPLAIN: a small result, nothing written;
 * - `insert`: rows follow in `format`, from character `dataAt` of the text on and in the body;
 * - `write`: anything else.
 */
export type Statement =
  | { readonly kind: 'select' | 'read' | 'write'; readonly sql: string; readonly format: string | null }
  | InsertStatement;

export interface InsertStatement {
  readonly kind: 'insert';
  readonly sql: string;
  readonly format: string;
  readonly dataAt: number;
  /** Where `FROM INFILE` belongs in `sql`. */
  readonly infileAt: number;
}

/**
 * Makes sure that the engine cannot take a part of `sql` for the end of inline rows and run the rest: it does so at the
 * first empty line. This holds even for an INSERT that the outline missed.
 * @throws ClickHouseException 62 when the empty line is in quoted text, which must not be changed.
 */
export function sealBlankLines(sql: string): string {
  if (!sql.includes('\n\n') || !/insert/i.test(sql)) return sql;
  for (const { text, raw } of tokenize(sql)) {
    if (text === "'" && raw.includes('\n\n'))
      throw exception(62, 'Syntax error: an empty line in quoted text of an INSERT');
  }
  return sql.replace(/\n(?=\n)/g, '\n ');
}

interface Token {
  /** Upper case for a word, the character itself for anything else, `'` for any quoted text. */
  readonly text: string;
  readonly raw: string;
  readonly start: number;
  readonly end: number;
  readonly depth: number;
}

type Tokens = Iterator<Token, undefined> & Iterable<Token>;

const READS = new Set(['SHOW', 'DESCRIBE', 'DESC', 'EXISTS', 'EXPLAIN']);
const SELECTS = new Set(['SELECT', 'WITH', 'FROM', '(']);
const AFTER_FORMAT = new Set([';', 'SETTINGS', 'INTO', ')']);

/**
 * Reads a statement's outline, in text or in bytes decoded as Latin-1 (offsets are then byte offsets); the engine's parser
 * remains the judge of everything else.
 * @throws ClickHouseException for what ClickHouse does not take over HTTP: several statements, `INTO OUTFILE`, `FROM INFILE`;
 * and for `INSERT … SELECT … FROM input(…)`, which this engine accepts and then writes nothing.
 */
export function readStatement(sql: string): Statement {
  const tokens = tokenize(sql);
  const first = tokens.next();
  if (first.done === true) throw exception(62, 'Syntax error: empty query');
  if (first.value.text === 'INSERT') return readInsert(sql, tokens, 'INSERT');
  const kind = SELECTS.has(first.value.text) ? 'select' : READS.has(first.value.text) ? 'read' : 'write';
  const { format, end } = readTail(sql, tokens, first.value);
  return { kind, sql: sql.slice(0, end), format };
}

function readTail(sql: string, tokens: Tokens, first: Token): { format: string | null; end: number } {
  let format: string | null = null;
  let before = first;
  let beforeThat: Token | null = null;
  let end = sql.length;
  let ended = false;
  for (const token of tokens) {
    if (ended && token.text !== ';') throw exception(62, 'Syntax error: multi-statements are not allowed');
    if (token.text === 'INTO' && before.text === 'INSERT') {
      // of `EXPLAIN AST INSERT … VALUES (1)` the rows are cut off: the engine could run what follows them
      return { format: null, end: readInsert(sql, tokens, 'INTO').sql.length };
    }
    if (token.text === 'OUTFILE' && before.text === 'INTO') throw exception(358, 'INTO OUTFILE is not allowed');
    if (beforeThat?.text === 'FORMAT' && beforeThat.depth === 0 && AFTER_FORMAT.has(token.text)) format = before.raw;
    if (token.text === ';' && token.depth === 0 && !ended) {
      ended = true;
      end = token.start;
    }
    if (!ended) [beforeThat, before] = [before, token];
  }
  if (!ended && beforeThat?.text === 'FORMAT' && beforeThat.depth === 0) format = before.raw;
  return { format, end };
}

function readInsert(sql: string, tokens: Tokens, previous: string): Statement {
  let before = previous;
  let infileAt: number | null = null;
  for (let next = tokens.next(); next.done !== true; next = tokens.next()) {
    const { text, start, end, depth } = next.value;
    const named = before === 'INTO' || before === 'TABLE' || before === '.';
    before = text;
    if (depth !== 0 || named) continue;
    if (text === 'INFILE') throw exception(48, 'FROM INFILE is not allowed over HTTP');
    if (text === 'SETTINGS') infileAt ??= start;
    if (text === 'SELECT' || text === 'WITH') return readInsertSelect(sql, tokens, next.value);
    if (text === 'VALUES') {
      return { kind: 'insert', sql: sql.slice(0, end), format: 'Values', dataAt: end, infileAt: infileAt ?? start };
    }
    if (text === 'FORMAT') {
      const name = tokens.next();
      if (name.done === true) break;
      const dataAt = afterLineEnd(sql, name.value.end);
      const statement = sql.slice(0, name.value.end);
      return { kind: 'insert', sql: statement, format: name.value.raw, dataAt, infileAt: infileAt ?? start };
    }
  }
  return { kind: 'write', sql, format: null };
}

function readInsertSelect(sql: string, tokens: Tokens, first: Token): Statement {
  let before = '';
  const watched = (function* (): Generator<Token, undefined> {
    for (const token of tokens) {
      if (token.text === '(' && before === 'INPUT')
        throw exception(48, 'INSERT … SELECT FROM input() is not supported');
      before = token.text;
      yield token;
    }
    return undefined;
  })();
  const { end } = readTail(sql, watched, first);
  return { kind: 'write', sql: sql.slice(0, end), format: null };
}

/** Data begins after the format's name, blanks, an optional semicolon and at most one line end. */
function afterLineEnd(sql: string, from: number): number {
  const match = /[ \t]*;?[ \t]*(?:\r?\n)?/y;
  match.lastIndex = from;
  match.exec(sql);
  return match.lastIndex;
}

const WORD = /[A-Za-z0-9_$][A-Za-z0-9_$]*/y;
/** ‘ and “, as characters or as UTF-8 bytes read as Latin-1. */
const TYPOGRAPHIC = /\u2018|\u201c|\u00e2\u0080[\u0098\u009c]/y;
const HEREDOC = /\$([A-Za-z0-9_]*)\$/y;

/** Tokens without comments; quoted text is one token. It reads no further than it is asked to. */
function* tokenize(sql: string): Generator<Token, undefined> {
  let depth = 0;
  let at = 0;
  while (at < sql.length) {
    const start = at;
    const char = sql.charAt(at);
    if (/\s/.test(char)) {
      at++;
      continue;
    }
    if ((char === '-' && sql[at + 1] === '-') || (char === '#' && /[ !]/.test(sql[at + 1] ?? ''))) {
      at = past(sql, '\n', at);
      continue;
    }
    if (char === '/' && sql[at + 1] === '*') {
      at = past(sql, '*/', at + 2);
      continue;
    }
    if (char === "'" || char === '"' || char === '`') {
      at = afterQuote(sql, at, char);
      yield { text: "'", raw: sql.slice(start, at), start, end: at, depth };
      continue;
    }
    TYPOGRAPHIC.lastIndex = at;
    const opening = TYPOGRAPHIC.exec(sql)?.[0];
    if (opening !== undefined) {
      // the engine takes ‘…’ and “…” for quotes; the closing one's last character follows the opening one's
      const closing = opening.slice(0, -1) + String.fromCharCode(opening.charCodeAt(opening.length - 1) + 1);
      at = past(sql, closing, at + opening.length);
      yield { text: "'", raw: sql.slice(start, at), start, end: at, depth };
      continue;
    }
    HEREDOC.lastIndex = at;
    const heredoc = char === '$' ? HEREDOC.exec(sql) : null;
    if (heredoc !== null) {
      at = past(sql, heredoc[0], at + heredoc[0].length);
      yield { text: "'", raw: sql.slice(start, at), start, end: at, depth };
      continue;
    }
    WORD.lastIndex = at;
    const word = WORD.exec(sql)?.[0];
    at += word?.length ?? 1;
    if (char === ')' || char === ']' || char === '}') depth--;
    yield { text: word?.toUpperCase() ?? char, raw: word ?? char, start, end: at, depth };
    if (char === '(' || char === '[' || char === '{') depth++;
  }
  return undefined;
}

function past(sql: string, mark: string, from: number): number {
  const found = sql.indexOf(mark, from);
  return found === -1 ? sql.length : found + mark.length;
}

/** Both a backslash and doubling escape a quote; for the scan a doubled quote is two quoted texts in a row. */
function afterQuote(sql: string, start: number, quote: string): number {
  for (let at = start + 1; at < sql.length; at++) {
    if (sql[at] === '\\') at++;
    else if (sql[at] === quote) return at + 1;
  }
  return sql.length;
}
