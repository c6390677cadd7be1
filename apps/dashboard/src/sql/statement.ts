/** A value that a statement leaves open, written `{name:Type}`. */
export interface Parameter {
  readonly name: string;
  /** As ClickHouse writes it, e.g. `DateTime64(6, 'UTC')`. */
  readonly type: string;
}

/**
 * Comments, texts and quoted names, in which nothing else means anything, or (groups 2 and 3) an open value. What is not
 * closed reaches to the end, as it does while it is typed.
 */
const PIECE = new RegExp(
  [
    /--[^\n]*|#[ !][^\n]*|\/\*[\s\S]*?(?:\*\/|$)/,
    /'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)/,
    /"(?:[^"\\]|\\[\s\S]|"")*(?:"|$)/,
    /`(?:[^`\\]|\\[\s\S]|``)*(?:`|$)/,
    /\$(\w*)\$[\s\S]*?(?:\$\1\$|$)/,
    /\{\s*([A-Za-z_]\w*)\s*:\s*((?:[^{}'"]|'[^']*'|"[^"]*")+?)\s*\}/,
  ]
    .map((each) => each.source)
    .join('|'),
  'g',
);

/** The values that a statement leaves open, each name once, in their order. */
export function parametersOf(statement: string): readonly Parameter[] {
  const found = new Map<string, Parameter>();
  for (const [, , name, type] of statement.matchAll(PIECE)) {
    if (name !== undefined && type !== undefined && !found.has(name)) found.set(name, { name, type });
  }
  return [...found.values()];
}

/** The statement with comments, texts and quoted names blanked out: every place stays where it is. */
export function codeOf(statement: string): string {
  return statement.replace(PIECE, (piece) => piece.replace(/[^\n]/g, ' '));
}

/** Whether there is anything to run: comments and blanks are nothing. */
export function isBlank(statement: string): boolean {
  return statement.replace(/--[^\n]*|#[ !][^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g, '').trim() === '';
}

/** Line and column of a place in a text, both from 1. */
export function lineAndColumn(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, Math.max(0, offset));
  return { line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') };
}
