import { positionAt, SqlError, type SqlErrorCode } from './sql-error.ts';

/** A `{name:Type}` of a statement. */
export interface SqlParameter {
  readonly name: string;
  readonly type: string;
}

interface Token {
  /** `word`: a bare name or keyword; `quoted`: a name in quotes, given without them; `value`: a text, number or parameter. */
  readonly kind: 'word' | 'quoted' | 'value' | 'symbol';
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** A statement as far as it can be read without a grammar. All its texts are as long as the statement itself. */
export interface Lexed {
  readonly tokens: readonly Token[];
  /** Without comments and the final semicolon: blanks stand for them. */
  readonly text: string;
  /** The same with a number in place of each parameter, so that it can be parsed without their values. */
  readonly textWithoutParameters: string;
  /** Each once, in order of first use. */
  readonly parameters: readonly SqlParameter[];
}

/** More brackets within brackets than anybody writes; ClickHouse's parser takes time exponential in some of them. */
const MAX_DEPTH = 100;

const SYMBOLS = new Set('()[],.+-*/%=<>!|?:^');
const BLANK = /[ \t\r\n\f\v]+/y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /[0-9][0-9A-Za-z_]*(?:\.[0-9A-Za-z_]+)?(?:(?<=[eEpP])[+-][0-9]+)?/y;
const TEXT = /'(?:[^'\\\0]|\\[^\0]|'')*'/y;
const COMMENT = /--[^\n]*|\/\*[\s\S]*?\*\//y;
const PARAMETER = /\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*:\s*([A-Za-z][A-Za-z0-9_(), ']*)\}/y;
/**
 * No quotes, dots, brackets, backslashes or line ends: whatever ClickHouse prints of a tree with such names in it can be
 * read in one way only.
 */
const QUOTED = /`([^`]*)`|"([^"]*)"/y;
const QUOTED_NAME = /^[\p{L}\p{N}_%/:+#@?&=-]+(?: [\p{L}\p{N}_%/:+#@?&=-]+)*$/u;

/**
 * Reads the tokens of one statement. It knows less than ClickHouse's own lexer on purpose: what it does not know it refuses, so
 * that both see the same tokens in what passes.
 * @throws SqlError SQL_REFUSED, SQL_SYNTAX
 */
export function lex(statement: string): Lexed {
  const tokens: Token[] = [];
  const parameters = new Map<string, SqlParameter>();
  let text = '';
  let textWithoutParameters = '';
  let depth = 0;
  let at = 0;
  let semicolon: number | null = null;

  const fail = (message: string, code: SqlErrorCode = 'SQL_REFUSED', offset = at): never => {
    throw new SqlError(code, message, positionAt(statement, offset));
  };
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(statement);
  };
  const take = (raw: string, shown = raw, parsed = shown): void => {
    text += shown;
    textWithoutParameters += parsed;
    at += raw.length;
  };
  const token = (kind: Token['kind'], value: string, raw: string, parsed = raw): void => {
    if (semicolon !== null)
      fail('one statement at a time: leave out what follows the semicolon', 'SQL_REFUSED', semicolon);
    const pair = `${tokens.at(-1)?.text ?? ''} ${value}`.toLowerCase();
    if (pair === 'into outfile') fail('a statement cannot have INTO OUTFILE: export its result instead');
    // the embedded engine runs what follows the rows of an INSERT, even of one that is only to be explained
    if (pair === 'insert into') fail('only SELECT is allowed here');
    tokens.push({ kind, text: value, start: at, end: at + raw.length });
    take(raw, raw, parsed);
  };

  while (at < statement.length) {
    const char = statement.charAt(at);
    let found = match(BLANK) ?? match(COMMENT);
    if (found !== null) {
      take(found[0], found[0].replaceAll(/[^\n]/g, ' '));
    } else if ((found = match(WORD)) !== null) {
      token('word', found[0], found[0]);
    } else if ((found = match(TEXT) ?? match(NUMBER)) !== null) {
      token('value', found[0], found[0]);
    } else if ((found = match(QUOTED)) !== null) {
      const name = found[1] ?? found[2] ?? '';
      if (!QUOTED_NAME.test(name))
        fail('a name in quotes may have letters, digits, single blanks and _ % / : + # @ ? & = -');
      token('quoted', name, found[0]);
    } else if ((found = match(PARAMETER)) !== null) {
      const [raw, name = '', written = ''] = found;
      const type = written.trim();
      if (/identifier|aggregatefunction/i.test(type))
        fail(`a parameter cannot be of type ${type}: use a type of values`);
      const known = parameters.get(name);
      if (known !== undefined && known.type !== type)
        fail(`parameter ${name} is ${known.type} elsewhere: use one type`);
      parameters.set(name, { name, type });
      token('value', raw, raw, '0'.padEnd(raw.length));
    } else if (char === ';') {
      semicolon ??= at;
      take(char, ' ');
    } else if (SYMBOLS.has(char)) {
      if (char === '(' || char === '[') depth += 1;
      if (char === ')' || char === ']') depth -= 1;
      if (depth < 0) fail(`'${char}' closes nothing`, 'SQL_SYNTAX');
      if (depth > MAX_DEPTH) fail(`brackets are nested deeper than ${MAX_DEPTH}`);
      token('symbol', char, char);
    } else if (char === "'" || char === '"' || char === '`') {
      fail(`the text that begins here does not end: close it with ${char}`, 'SQL_SYNTAX');
    } else if (char === '{') {
      fail('a parameter is written {name:Type}; make maps with map(key, value)');
    } else {
      fail(`the character ${JSON.stringify(char)} has no place outside quotes`);
    }
  }
  if (tokens.length === 0) fail('write a statement', 'SQL_SYNTAX', 0);
  if (depth > 0) fail('a bracket is not closed', 'SQL_SYNTAX', statement.length);
  return { tokens, text, textWithoutParameters, parameters: [...parameters.values()] };
}
