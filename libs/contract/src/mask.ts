import type { MaskingPolicy } from './cluster.ts';
import { createSuspicion } from './suspicion.ts';

/** Hides secrets in one text: Python reprs, JSON, exception texts, tracebacks, URLs. Same text in, same text out. */
export interface Mask {
  (text: string): string;
  /** A value as JSON text, with what telling keys hold, and secrets inside texts, hidden; always well-formed JSON. */
  json(value: unknown): string;
  /** False where the ASCII text in the bytes from `start` to `end` holds nothing to be hidden, which is cheap to tell. */
  suspects(bytes: Uint8Array, start: number, end: number): boolean;
}

const BUILT_IN_KEYS = ['pass', 'pwd', 'secret', 'token', 'key', 'auth', 'dsn', 'credential'];

/** What a URL and a token of three parts hold. */
const MARKS = ['://', 'eyJ'];

/** Words that hold one of the above and are no secret. Cut out of a key before it is judged: `author_token` still is one. */
const HARMLESS =
  /authors?(?![a-z]*i[sz])|keyboards?|keywords?|keyerror|monkeys?|passengers?|passed|passing|passes|(?<![a-z])bypass(?![a-z])|compass(?!w)|tokenizers?|(?:max|prompt|completion|input|output|total)_tokens|routing_key/gi;

/** Names of exceptions are followed by `: message`, which is no value of theirs (`KeyError: 'customer'`). */
const EXCEPTION_NAME = /(?:error|exception|warning)$/i;

const MASKED = '***';

/** A card number: 13 to 19 digits, alone, possibly in groups; Luhn decides. */
const CARD = /(?<![\d.])(?:\d[ -]?){12,18}\d(?![\d.])/g;
const JWT = /(?<![\w-])eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?/g;
const KEY_CHAR = /[\w.$-]/;
/** What stands between a key and its value. In a text that was quoted as a whole, quotes stand behind backslashes. */
const ASSIGNED = /\\*['"]?\s*(?:=>|[:=])\s*/y;
/** What begins and ends a pair of a key and its text (`('Authorization', 'Bearer x')`), and stands between the two. */
const PAIR_BEGIN = /[([]\s*[bru]{0,2}\\*['"]$/i;
const PAIR_COMMA = /\\*['"]\s*,\s*(?=[bru]{0,2}\\*['"])/iy;
const PAIR_END = /\s*,?\s*[)\]]/y;
const SPACE = /\s*/y;
const AUTHORITY_END = /[\s/?#'"]/;
const LONGEST_AUTHORITY = 1_000;
/** A user so long, without a password, is a token (`https://ghp_…@github.com`). Characters. */
const TOKEN_USER = 20;
/** What may follow a bare value. */
const BARE_END = /[\s,;&)}\]'"<>]/;
const AUTH_SCHEME = /^(?:bearer|basic|token|digest)$/i;
const NO_SECRET = /^(?:None|null|True|False|true|false|\\*'\\*'|\\*"\\*"|b\\*'\\*'|\(\)|\[\]|\{\}|)$/;

/** @returns the mask of a policy; the identity when it is switched off. */
export function createMask(policy: MaskingPolicy): Mask {
  if (!policy.enabled) {
    const json = (value: unknown): string => stringify(value);
    return Object.assign((text: string) => text, { json, suspects: () => false });
  }
  const suspects = createSuspicion([...BUILT_IN_KEYS, ...policy.extraKeys, ...MARKS]);
  const words = [...BUILT_IN_KEYS, ...policy.extraKeys].map(escapeRegExp).join('|');
  const allowed = new Set(policy.allowKeys.map((key) => key.toLowerCase()));
  const secretWord = new RegExp(words, 'i');
  const everySecretWord = new RegExp(words, 'gi');
  // one cheap look decides for nearly every text that there is nothing to do
  const suspicious = new RegExp(`${words}|${MARKS.join('|')}|\\d(?:[ -]?\\d){12}`, 'i');
  const isSecretKey = (key: string): boolean =>
    !allowed.has(key.toLowerCase()) && !EXCEPTION_NAME.test(key) && secretWord.test(key.replace(HARMLESS, ''));

  const maskText = (text: string): string => {
    if (!suspicious.test(text)) return text;
    return maskUserInfo(maskKeyed(text, everySecretWord, isSecretKey))
      .replace(JWT, MASKED)
      .replace(CARD, (digits) => (isCardNumber(digits) ? MASKED : digits));
  };
  const maskValue = (value: unknown): unknown => {
    if (typeof value === 'string') return maskText(value);
    if (typeof value === 'number') return maskNumber(value, maskText);
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(maskValue);
    const entries = Object.entries(value).map(([key, item]) => {
      const hidden = isSecretKey(key) && !NO_SECRET.test(stringify(item));
      return [maskText(key), hidden ? MASKED : maskValue(item)];
    });
    return Object.fromEntries(entries) as unknown;
  };
  return Object.assign(maskText, { json: (value: unknown) => stringify(maskValue(value)), suspects });
}

/** A card number may be written as a number. */
function maskNumber(value: number, mask: (text: string) => string): unknown {
  return mask(String(value)) === MASKED ? MASKED : value;
}

/** JSON, with integers that only Python can hold as text. */
function stringify(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? item.toString() : item));
}

function maskKeyed(text: string, words: RegExp, isSecretKey: (key: string) => boolean): string {
  let masked = '';
  let copied = 0;
  words.lastIndex = 0;
  for (let match = words.exec(text); match !== null; match = words.exec(text)) {
    let from = match.index;
    while (from > copied && KEY_CHAR.test(text[from - 1] ?? '')) from--;
    let to = match.index + match[0].length;
    while (to < text.length && KEY_CHAR.test(text[to] ?? '')) to++;
    words.lastIndex = to;
    const found = isSecretKey(text.slice(from, to)) ? valueOf(text, from, to) : null;
    if (found === null) continue;
    const { start, end } = found;
    const value = text.slice(start, end);
    if (NO_SECRET.test(value)) continue;
    const quote = /^[bru]{0,2}(\\*['"])/i.exec(value)?.[1] ?? '';
    masked += `${text.slice(copied, start)}${quote}${MASKED}${quote}`;
    copied = end;
    words.lastIndex = end;
  }
  return copied === 0 ? text : masked + text.slice(copied);
}

/** Where the value of the key from `from` to `to` begins and ends; null when it has none. */
function valueOf(text: string, from: number, to: number): { readonly start: number; readonly end: number } | null {
  const assigned = lengthAt(ASSIGNED, text, to);
  if (assigned !== null) return { start: to + assigned, end: valueEnd(text, to + assigned) };
  const comma = lengthAt(PAIR_COMMA, text, to);
  if (comma === null || !PAIR_BEGIN.test(text.slice(Math.max(0, from - LONGEST_PAIR_BEGIN), from))) return null;
  const end = oneValueEnd(text, to + comma);
  return lengthAt(PAIR_END, text, end) === null ? null : { start: to + comma, end };
}

const LONGEST_PAIR_BEGIN = 16;

/** @param pattern a sticky one */
function lengthAt(pattern: RegExp, text: string, at: number): number | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? null;
}

/** Hides the password of `scheme://user:password@host`. A password may hold `@` and `:`; a `/` ends the authority. */
function maskUserInfo(text: string): string {
  let masked = '';
  let copied = 0;
  for (let at = text.indexOf('://'); at !== -1; at = text.indexOf('://', at + 3)) {
    const start = at + 3;
    let end = start;
    while (end < text.length && end - start < LONGEST_AUTHORITY && !AUTHORITY_END.test(text[end] ?? '')) end++;
    const authority = text.slice(start, end);
    const host = authority.lastIndexOf('@');
    const colon = authority.indexOf(':');
    if (host === -1 || ((colon === -1 || colon > host) && host < TOKEN_USER)) continue;
    const password = colon > host ? 0 : colon + 1;
    masked += `${text.slice(copied, start + password)}${MASKED}`;
    copied = start + host;
  }
  return copied === 0 ? text : masked + text.slice(copied);
}

/**
 * Where the value that starts at `start` ends. In doubt later rather than earlier: hiding too much leaks nothing. What is
 * followed by a value of its own was no value but a key (`auth: password='x'`), so that one is hidden too.
 */
function valueEnd(text: string, start: number): number {
  let end = oneValueEnd(text, start);
  for (;;) {
    const between = lengthAt(end > start && /[:=]/.test(text[end - 1] ?? '') ? SPACE : ASSIGNED, text, end);
    if (between === null) return end;
    const further = oneValueEnd(text, end + between);
    if (further === end) return end;
    end = further;
  }
}

function oneValueEnd(text: string, start: number): number {
  const quote = lengthAt(QUOTE, text, start);
  if (quote !== null) return stringEnd(text, start + quote - 1);
  const first = text[start];
  if (first === '(' || first === '[' || first === '{' || first === '<') return bracketEnd(text, start);
  let end = bareEnd(text, start);
  if (text[end] === '(') return bracketEnd(text, end);
  if (AUTH_SCHEME.test(text.slice(start, end))) end = bareEnd(text, end + 1);
  return end;
}

function bareEnd(text: string, start: number): number {
  let end = start;
  while (end < text.length && text[end] !== '(' && !BARE_END.test(text[end] ?? '')) end++;
  return end;
}

const QUOTE = /[bru]{0,2}\\*['"]/iy;

/**
 * Where the string ends whose quote is at `open`. Behind backslashes it is one inside a quoted text, and every backslash
 * of its own is as many more: it ends at its quote behind as many backslashes, or where the text around it ends.
 */
function stringEnd(text: string, open: number): number {
  const quote = text[open];
  let depth = 0;
  while (text[open - 1 - depth] === '\\') depth++;
  let slashes = 0;
  for (let index = open + 1; index < text.length; index++) {
    const char = text[index];
    if (char === '\\') {
      slashes++;
      continue;
    }
    if (char === quote && slashes < depth) return index - slashes;
    if (char === quote && slashes % (2 * (depth + 1)) === depth) return index + 1;
    slashes = 0;
  }
  return text.length;
}

function bracketEnd(text: string, open: number): number {
  let depth = 0;
  for (let index = open; index < text.length; index++) {
    const char = text[index];
    if (char === "'" || char === '"') index = stringEnd(text, index) - 1;
    else if (char === '(' || char === '[' || char === '{' || char === '<') depth++;
    else if ((char === ')' || char === ']' || char === '}' || char === '>') && --depth === 0) return index + 1;
  }
  return text.length;
}

function isCardNumber(text: string): boolean {
  const digits = text.replace(/[ -]/g, '');
  if (/^(\d)\1*$/.test(digits)) return false;
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = digit * 2;
    sum += index % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\-]/g, '\\$&');
}
