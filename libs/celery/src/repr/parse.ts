import { refineCall } from './call.ts';
import {
  atDots,
  chop,
  closesItself,
  elide,
  isAfterValue,
  markCut,
  MAX_DEPTH,
  readString,
  skipSpace,
} from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { reprToJsonText } from './json.ts';
import type { ReprEntry, ReprNode, ReprResult } from './node.ts';

/** Longest text read, in UTF-16 units; anything longer stays opaque. Celery stops near 1024 characters. */
export const MAX_REPR_LENGTH = 1 << 20;

/**
 * Reads a Python repr as Celery's `saferepr` writes args, kwargs and results. Evaluates nothing, throws on no input, takes
 * time linear in the text; what it cannot read comes back as one opaque node.
 *
 * Inside strings Celery escapes `'` and nothing else, so `'a\', 'b'` may be one string or two. First every `\'` is an
 * escape; if the text does not work out that way, `\'` in front of a delimiter closes the string.
 */
export function parseRepr(text: string): ReprResult {
  if (text.length > MAX_REPR_LENGTH) return unreadable(text);
  const first = read(text, false);
  if (first?.chopped === false || !text.includes("\\'")) return first?.result ?? unreadable(text);
  const second = read(text, true);
  if (second?.chopped === false) return second.result;
  // Neither reading works out, yet the text is whole by its ends: quotes got the better of us, not scissors.
  return closesItself(text) ? unreadable(text) : ((first ?? second)?.result ?? unreadable(text));
}

function read(text: string, backslashMayClose: boolean): { result: ReprResult; chopped: boolean } | undefined {
  const cursor: Cursor = { text, backslashMayClose, pos: 0, cutAt: null, chopped: false };
  skipSpace(cursor);
  if (cursor.pos === text.length) return undefined;
  const value = readValue(cursor, 0, false);
  skipSpace(cursor);
  if (value === undefined || cursor.pos < text.length) return undefined;
  const cut = cursor.cutAt !== null;
  const exact = !cut && reprToJsonText(value) !== undefined;
  return { result: { value, cut, cutAt: cursor.cutAt, exact, raw: text }, chopped: cursor.chopped };
}

/** A text that is no repr may still show that it was cut: it ends in dots, give or take closing brackets. */
function unreadable(text: string): ReprResult {
  const tail = text.slice(-2 * MAX_DEPTH);
  const dots = tail.search(/\.\.\.['"]?[\])},]*$/);
  const cutAt = dots < 0 ? null : text.length - tail.length + dots;
  return { value: { kind: 'opaque', text }, cut: cutAt !== null, cutAt, exact: false, raw: text };
}

function readValue(cursor: Cursor, depth: number, literal: boolean): ReprNode | undefined {
  if (depth > MAX_DEPTH) return undefined;
  const char = cursor.text[cursor.pos];
  switch (char) {
    case undefined:
      chop(cursor);
      return { kind: 'elided', text: '' };
    case "'":
    case '"':
      return readString(cursor, 'str', literal);
    case '[':
      return readSequence(cursor, 'list', ']', depth, literal);
    case '(':
      return readComplex(cursor) ?? readSequence(cursor, 'tuple', ')', depth, literal);
    case '{':
      return readBraces(cursor, depth, literal);
    case '<':
      return readAngle(cursor);
    case ',':
      // `[1, , ...]`: the limit was reached at the item's own bracket, or right after a separator.
      if (!cursor.text.startsWith(', ...', cursor.pos)) return undefined;
      cursor.pos += 2;
      return elide(cursor);
    case 'b':
      if (cursor.text[cursor.pos + 1] === "'" || cursor.text[cursor.pos + 1] === '"') {
        cursor.pos += 1;
        return readString(cursor, 'bytes', literal);
      }
      return readWord(cursor, depth);
    default:
      return atDots(cursor) ? elide(cursor) : (readNumber(cursor) ?? readWord(cursor, depth));
  }
}

/** Items up to `close`, `pos` at the opening bracket. Ends early, without complaint, where the text was cut. */
function readItems(cursor: Cursor, close: string, item: () => boolean): boolean {
  cursor.pos += 1;
  for (;;) {
    skipSpace(cursor);
    if (cursor.text[cursor.pos] === close) {
      cursor.pos += 1;
      return true;
    }
    if (!item()) return false;
    if (cursor.pos === cursor.text.length) {
      if (cursor.cutAt === null) chop(cursor);
      return true;
    }
    skipSpace(cursor);
    if (cursor.text[cursor.pos] === ',') cursor.pos += 1;
    else if (cursor.text[cursor.pos] !== close) return false;
  }
}

function readSequence(cursor: Cursor, kind: 'list' | 'tuple', close: string, depth: number, literal: boolean) {
  const items: ReprNode[] = [];
  const whole = readItems(cursor, close, () => {
    const item = readValue(cursor, depth + 1, literal);
    if (item !== undefined) items.push(item);
    return item !== undefined;
  });
  return whole ? ({ kind, items } satisfies ReprNode) : undefined;
}

/** `{…}`: a dict once a key has its colon, a set otherwise. */
function readBraces(cursor: Cursor, depth: number, literal: boolean): ReprNode | undefined {
  const entries: ReprEntry[] = [];
  let isDict: boolean | null = null;
  const whole = readItems(cursor, '}', () => {
    const key = readValue(cursor, depth + 1, literal);
    if (key === undefined) return false;
    let value: ReprNode | undefined = { kind: 'elided', text: '' };
    if (cursor.text[cursor.pos] === ':') {
      if (isDict === false) return false;
      isDict = true;
      cursor.pos += 1;
      skipSpace(cursor);
      value = readValue(cursor, depth + 1, literal);
    } else if (key.kind !== 'elided' && cursor.cutAt === null) {
      // In a dict only a mark that follows at once excuses a key without a value.
      if (isDict === true && !cursor.text.startsWith(', ...', cursor.pos) && cursor.pos < cursor.text.length)
        return false;
      isDict ??= false;
    }
    if (value !== undefined) entries.push({ key, value });
    return value !== undefined;
  });
  if (!whole) return undefined;
  return isDict === false ? { kind: 'set', items: entries.map((entry) => entry.key) } : { kind: 'dict', entries };
}

const complexForm = /\(-?[\d.]+(?:e[+-]?\d+)?[+-](?:[\d.]+(?:e[+-]?\d+)?|inf|nan)j\)/y;

function readComplex(cursor: Cursor): ReprNode | undefined {
  complexForm.lastIndex = cursor.pos;
  const text = complexForm.exec(cursor.text)?.[0];
  if (text === undefined) return undefined;
  cursor.pos += text.length;
  return { kind: 'complex', text };
}

const numberForm = /-?(?:(?:0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?|inf|nan)/y;

function readNumber(cursor: Cursor): ReprNode | undefined {
  numberForm.lastIndex = cursor.pos;
  const match = numberForm.exec(cursor.text);
  if (match === null) return undefined;
  const text = match[0];
  const end = cursor.pos + text.length;
  if (cursor.text.startsWith('...', end)) return cutToken(cursor, end);
  if (!isAfterValue(cursor.text[end])) return undefined;
  cursor.pos = end;
  if (match[1] !== undefined || match[2] !== undefined || text.endsWith('f') || text.endsWith('n'))
    return { kind: 'float', text };
  const value = text === '-0' ? Number.NaN : Number(text);
  return Number.isSafeInteger(value) ? { kind: 'int', value } : { kind: 'bigint', digits: text };
}

/** A number or name that Celery cut inside: `22...`. */
function cutToken(cursor: Cursor, end: number): ReprNode {
  const text = cursor.text.slice(cursor.pos, end);
  markCut(cursor, end);
  cursor.pos = end + 3;
  return { kind: 'elided', text };
}

const nameForm = /[\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_<][\p{L}\p{N}_<>]*)*/uy;
const bareForm = /[^,()[\]{}'":<>\s]+/y;

/** `None`, `Decimal('1')`, `Color.RED`, `1/2`: a constant, a call, or a bare word kept as it stands. */
function readWord(cursor: Cursor, depth: number): ReprNode | undefined {
  nameForm.lastIndex = cursor.pos;
  const name = nameForm.exec(cursor.text)?.[0];
  const end = cursor.pos + (name?.length ?? 0);
  if (name !== undefined && cursor.text.startsWith('...', end)) return cutToken(cursor, end);
  if (name !== undefined && cursor.text[end] === '(') {
    cursor.pos = end;
    return readCall(cursor, name, depth);
  }
  if (name !== undefined && isAfterValue(cursor.text[end])) {
    cursor.pos = end;
    if (name === 'None') return { kind: 'none' };
    if (name === 'True' || name === 'False') return { kind: 'bool', value: name === 'True' };
    return { kind: 'opaque', text: name };
  }
  bareForm.lastIndex = cursor.pos;
  const bare = bareForm.exec(cursor.text)?.[0];
  if (bare === undefined || !isAfterValue(cursor.text[cursor.pos + bare.length])) return undefined;
  const dots = bare.endsWith('...');
  if (dots) return cutToken(cursor, cursor.pos + bare.length - 3);
  cursor.pos += bare.length;
  return { kind: 'opaque', text: bare };
}

const argumentForm = /[\p{L}_][\p{L}\p{N}_]*=/uy;

function readCall(cursor: Cursor, name: string, depth: number): ReprNode | undefined {
  const args: ReprNode[] = [];
  const named: { name: string; value: ReprNode }[] = [];
  const from = cursor.pos - name.length;
  // Set types are written by Celery itself, `frozenset({'a'})`; everything else in a call is the object's own repr.
  const literal = name !== 'frozenset';
  const whole = readItems(cursor, ')', () => {
    argumentForm.lastIndex = cursor.pos;
    const label = argumentForm.exec(cursor.text)?.[0];
    if (label !== undefined) cursor.pos += label.length;
    const value = readValue(cursor, depth + 1, literal);
    if (value === undefined) return false;
    if (label === undefined) args.push(value);
    else named.push({ name: label.slice(0, -1), value });
    return true;
  });
  return whole ? refineCall({ kind: 'call', name, args, named }, cursor.text.slice(from, cursor.pos)) : undefined;
}

/** `<Foo object at 0x7f…>`, brackets balanced; unclosed it is the end of what can be read. */
function readAngle(cursor: Cursor): ReprNode {
  const from = cursor.pos;
  let depth = 0;
  for (let at = from; at < cursor.text.length; at += 1) {
    if (cursor.text[at] === '<') depth += 1;
    else if (cursor.text[at] === '>' && (depth -= 1) === 0) {
      cursor.pos = at + 1;
      return { kind: 'opaque', text: cursor.text.slice(from, cursor.pos) };
    }
  }
  const dots = cursor.text.indexOf('...', from);
  if (dots >= 0) markCut(cursor, dots);
  chop(cursor);
  return { kind: 'elided', text: cursor.text.slice(from, dots < 0 ? undefined : dots) };
}
