import type { Lexed } from './lexer.ts';
import { positionAt, SqlError } from './sql-error.ts';

const BEGINS = new Set(['SELECT', 'WITH', 'FROM']);

const EXPLAIN_KINDS = ['PLAN', 'PIPELINE', 'ESTIMATE'] as const;

const OPTIONS = new Set(['ACTIONS', 'COMPACT', 'DESCRIPTION', 'GRAPH', 'HEADER', 'INDEXES', 'SORTING']);

/**
 * Parts an `EXPLAIN` from what it explains: `head` is empty when there is none, and the query begins at `from`.
 * @throws SqlError SQL_REFUSED for what begins as no query, or for a kind or an option that tells more than how one is run
 */
export function splitExplain({ tokens, text }: Lexed): { readonly head: string; readonly from: number } {
  const word = (at: number): string => (tokens[at]?.kind === 'word' ? tokens[at].text.toUpperCase() : '');
  const refuse = (message: string, at: number): never => {
    throw new SqlError('SQL_REFUSED', message, positionAt(text, tokens[at]?.start ?? 0));
  };
  // brackets around the whole change nothing
  const begins = (at: number): boolean =>
    BEGINS.has(word(tokens.findIndex((token, n) => n >= at && token.text !== '(')));
  if (word(0) !== 'EXPLAIN') return begins(0) ? { head: '', from: 0 } : refuse('only SELECT is allowed here', 0);
  const named = EXPLAIN_KINDS.find((each) => each === word(1));
  const options: string[] = [];
  let at = named === undefined ? 1 : 2;
  while (OPTIONS.has(word(at)) && tokens[at + 1]?.text === '=' && /^[01]$/.test(tokens[at + 2]?.text ?? '')) {
    options.push(`${word(at).toLowerCase()} = ${tokens[at + 2]?.text}`);
    at += tokens[at + 3]?.text === ',' ? 4 : 3;
  }
  const first = tokens[at];
  if (first === undefined || !begins(at)) {
    return refuse(`use EXPLAIN ${EXPLAIN_KINDS.join(', ')} of a SELECT, with options such as indexes = 1`, at);
  }
  return { head: `EXPLAIN ${named ?? 'PLAN'} ${options.join(', ')}`.trim(), from: first.start };
}
