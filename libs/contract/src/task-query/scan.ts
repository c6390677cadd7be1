/** Longest first, so that `:~` is not taken for `:`. */
const OPERATORS = [':~', '>=', '<=', ':', '=', '>', '<'] as const;
export type Operator = (typeof OPERATORS)[number];

/** One value of a list, or a free text. Offsets are UTF-16 units of the query's text, quotes included. */
export interface ScannedValue {
  readonly from: number;
  readonly to: number;
  /** Without quotes and escapes. */
  readonly value: string;
  readonly quote: 'none' | 'closed' | 'open';
}

/** A term as written; whether it means anything is for the parser to say. */
export interface ScannedTerm {
  readonly from: number;
  readonly to: number;
  readonly not: boolean;
  /** null for a free text. */
  readonly head: { readonly field: string; readonly from: number; readonly operator: Operator } | null;
  /** At least one; that of `name:` is empty. */
  readonly values: readonly ScannedValue[];
}

const BLANK = /\s/;
const HEAD = /([A-Za-z_]\w*(?:\.[^\s:=<>~,"]*)?)(:~|>=|<=|:|=|>|<)/y;

/**
 * Takes a query's text apart: terms separated by blanks, `-` before one negates it, a field's values are separated by
 * commas. A quote opens where a value begins, and nowhere else. Takes any text.
 */
export function scanTerms(text: string): readonly ScannedTerm[] {
  const terms: ScannedTerm[] = [];
  let at = 0;
  while (at < text.length) {
    if (BLANK.test(text[at] ?? '')) at += 1;
    else {
      const term = scanTerm(text, at);
      terms.push(term);
      at = term.to;
    }
  }
  return terms;
}

function scanTerm(text: string, from: number): ScannedTerm {
  const isNegated = text[from] === '-' && from + 1 < text.length && !BLANK.test(text[from + 1] ?? '');
  const start = isNegated ? from + 1 : from;
  HEAD.lastIndex = start;
  const match = HEAD.exec(text);
  const operator = OPERATORS.find((each) => each === match?.[2]);
  const head = match === null || operator === undefined ? null : { field: match[1] ?? '', from: start, operator };
  const values: ScannedValue[] = [];
  let at = head === null ? start : HEAD.lastIndex;
  for (;;) {
    const value = scanValue(text, at, head !== null);
    values.push(value);
    at = value.to;
    if (head === null || text[at] !== ',') return { from, to: at, not: isNegated, head, values };
    at += 1;
  }
}

function scanValue(text: string, from: number, isOfList: boolean): ScannedValue {
  const isEnd = (char: string): boolean => BLANK.test(char) || (isOfList && char === ',');
  if (text[from] !== '"') {
    let to = from;
    while (to < text.length && !isEnd(text[to] ?? '')) to += 1;
    return { from, to, value: text.slice(from, to), quote: 'none' };
  }
  let value = '';
  let at = from + 1;
  while (at < text.length && text[at] !== '"') {
    if (text[at] === '\\' && (text[at + 1] === '"' || text[at + 1] === '\\')) at += 1;
    value += text[at];
    at += 1;
  }
  if (at >= text.length) return { from, to: text.length, value, quote: 'open' };
  return { from, to: at + 1, value, quote: 'closed' };
}
