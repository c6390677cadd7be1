import type { ReprNode } from './node.ts';

/** Deepest nesting read; Celery itself stops at 3. */
export const MAX_DEPTH = 64;

/** From this length on, dots at the end of a string are Celery's: its limit is 1024, less the last word. */
const LONG_TEXT = 900;

/** Where a reading stands. One object per pass, mutated along the way. */
export interface Cursor {
  readonly text: string;
  /** Reads `\'` before a bracket, comma, colon or the end as a backslash and the closing quote. */
  readonly backslashMayClose: boolean;
  pos: number;
  cutAt: number | null;
  /** True when the text ended before its brackets and quotes did. */
  chopped: boolean;
}

/** Notes that something is missing at `at`. */
export function markCut(cursor: Cursor, at: number): void {
  cursor.cutAt ??= at;
}

/** Notes that the text ends too early, and ends the reading: every open bracket closes at the end. */
export function chop(cursor: Cursor): void {
  markCut(cursor, cursor.text.length);
  cursor.chopped = true;
  cursor.pos = cursor.text.length;
}

const closersOnly = /[\])},\s]*$/y;

/**
 * Reads `...`. What follows Celery's last mark are the closing brackets of everything still open, at times one too many
 * (that of a container whose opening bracket was the item left out): nothing to learn from them.
 */
export function elide(cursor: Cursor): ReprNode {
  markCut(cursor, cursor.pos);
  cursor.pos += 3;
  closersOnly.lastIndex = cursor.pos;
  if (closersOnly.test(cursor.text)) cursor.pos = cursor.text.length;
  return { kind: 'elided', text: '' };
}

export function atDots(cursor: Cursor): boolean {
  return cursor.text.startsWith('...', cursor.pos);
}

export function skipSpace(cursor: Cursor): void {
  while (cursor.text[cursor.pos] === ' ' || cursor.text[cursor.pos] === '\n') cursor.pos += 1;
}

/** Reads a quoted string, `pos` at its opening quote; `bytes` after a `b`. */
export function readString(cursor: Cursor, kind: 'str' | 'bytes', literal: boolean): ReprNode {
  const quote = cursor.text[cursor.pos] === '"' ? '"' : "'";
  const from = cursor.pos + 1;
  // Celery never writes double quotes: where they are, Python's own repr did the quoting.
  const python = literal || quote === '"';
  const end = python ? endOfLiteral(cursor.text, from, quote) : endOfQuoted(cursor, from);
  const inner = cursor.text.slice(from, end.at);
  if (end.at === cursor.text.length) chop(cursor);
  else cursor.pos = end.at + 1;
  const cut = cursor.chopped || (inner.endsWith('...') && cursor.text.length >= LONG_TEXT);
  if (cut) markCut(cursor, cursor.chopped ? end.at : end.at - 3);
  if (kind === 'bytes') return { kind, text: inner, ...(cut && { cut: true as const }) };
  const value = python ? unescape(inner) : inner.replaceAll("\\'", "'");
  const unsure = end.unsure || inner.endsWith('...');
  return { kind, value, ...(cut && { cut: true as const }), ...(unsure && { unsure: true as const }) };
}

/** End of a string as Celery quotes: backslashes stand for themselves, except before a quote. */
function endOfQuoted(cursor: Cursor, from: number): { at: number; unsure: boolean } {
  const { text } = cursor;
  let unsure = false;
  for (let at = text.indexOf("'", from); at >= 0; at = text.indexOf("'", at + 1)) {
    if (at === from || text[at - 1] !== '\\') return { at, unsure: unsure || hasBackslash(text, from, at) };
    if (!isAfterValue(text[at + 1])) continue;
    unsure = true;
    if (cursor.backslashMayClose) return { at, unsure };
  }
  return { at: text.length, unsure: true };
}

function endOfLiteral(text: string, from: number, quote: string): { at: number; unsure: boolean } {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === quote) return { at, unsure: text.slice(from, at).includes('\\') };
  }
  return { at: text.length, unsure: true };
}

/** True for a backslash that is not the escape of a single quote. */
function hasBackslash(text: string, from: number, to: number): boolean {
  return /\\(?!')/.test(text.slice(from, to));
}

export function isAfterValue(char: string | undefined): boolean {
  return char === undefined || char === ',' || char === ')' || char === ']' || char === '}' || char === ':';
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', "'": "'", '"': '"', '\\': '\\' };

/** Python's string escapes, as its `repr` writes them. */
function unescape(inner: string): string {
  if (!inner.includes('\\')) return inner;
  return inner.replace(
    /\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8})|([\s\S]))/g,
    (whole, x?: string, u?: string, big?: string, char?: string) => {
      const hex = x ?? u ?? big;
      if (hex === undefined) return escapes[char ?? ''] ?? whole;
      const code = Number.parseInt(hex, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

const closerOf: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}', "'": "'", '"': '"', '<': '>' };

/** Whether a text that opens with a bracket or quote ends in its counterpart; true for any other text. */
export function closesItself(text: string): boolean {
  const closer = closerOf[text[0] ?? ''];
  return closer === undefined || (text.length > 1 && text.endsWith(closer));
}
