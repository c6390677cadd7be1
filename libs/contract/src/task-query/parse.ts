import { keyPattern, keywordPattern, positionalPattern } from './argument.ts';
import { TaskQueryError } from './error.ts';
import {
  isTaskField,
  isTextField,
  kindOf,
  TASK_FIELDS,
  type NumberField,
  type TaskField,
  type TextField,
} from './fields.ts';
import type { NumberSpan, TaskQuery, TermMeaning, TextValue } from './query.ts';
import { scanTerms, type Operator, type ScannedTerm, type ScannedValue } from './scan.ts';
import { durationIn, numberIn, timeIn, type TimeValue } from './values.ts';

/** UTF-16 units of a whole query. */
export const MOST_QUERY_LENGTH = 4000;
/** Each is a condition that the store checks for every task. */
const MOST_TERMS = 50;
const MOST_VALUES = 200;

/**
 * Reads a query. Times that are told from now on are fixed here.
 * @param now Unix seconds
 * @throws TaskQueryError what is wrong, where, and what to write instead
 */
export function parseTaskQuery(text: string, now: number): TaskQuery {
  if (text.length > MOST_QUERY_LENGTH) {
    throw new TaskQueryError(
      `the query has ${text.length} characters: ${MOST_QUERY_LENGTH} are the most`,
      MOST_QUERY_LENGTH,
      text.length - MOST_QUERY_LENGTH,
    );
  }
  const terms = scanTerms(text).map((term, index) => {
    if (index === MOST_TERMS) {
      throw new TaskQueryError(`more than ${MOST_TERMS} terms: leave some out`, term.from, text.length - term.from);
    }
    checkQuotes(text, term);
    return { ...meaningOf(term, now), position: term.from, length: term.to - term.from };
  });
  return { terms };
}

function checkQuotes(text: string, { values, to }: ScannedTerm): void {
  for (const { from, to: end, quote } of values) {
    if (quote === 'open') throw new TaskQueryError('a quote is not closed: put " behind the text', from, end - from);
  }
  const next = text[to];
  if (next !== undefined && !/\s/.test(next)) {
    throw new TaskQueryError('put a blank behind the closing quote, or \\" for a quote within the text', to, 1);
  }
}

function meaningOf(term: ScannedTerm, now: number): TermMeaning & { readonly not: boolean } {
  const { head, not, values } = term;
  if (head === null) {
    const text = values[0]?.value ?? '';
    if (text === '') throw wrong(term, 'a text to search for is empty: write it between the quotes, or take them out');
    return { kind: 'free', text, not };
  }
  if (values.length > MOST_VALUES) throw wrong(term, `more than ${MOST_VALUES} values: leave some out`);
  const missing = values.find(({ value, quote }) => value === '' && quote === 'none');
  if (missing !== undefined) {
    throw new TaskQueryError(
      `a value is missing: write it here, "" for empty, or has:${head.field} for any`,
      missing.from,
      0,
    );
  }
  if (head.field === 'has') return { ...presence(term), not };
  const dot = head.field.indexOf('.');
  if (dot !== -1) return { ...argument(term, head.field.slice(0, dot), head.field.slice(dot + 1), head.operator), not };
  const field = fieldOf(head.field, head.from);
  const isEmpty = values.length === 1 && values[0]?.value === '';
  if (isEmpty && head.operator !== ':~' && (!isTextField(field) || field === 'exception')) {
    return { kind: 'has', field, not: !not };
  }
  return isTextField(field)
    ? { kind: 'text', field, values: values.map((value) => textValue(field, head.operator, value, term)), not }
    : { kind: 'number', field, spans: values.map((value) => span(field, head.operator, value, now)), not };
}

function presence(term: ScannedTerm): TermMeaning {
  const [value, ...more] = term.values;
  if (value === undefined || more.length > 0 || term.head?.operator !== ':') {
    throw wrong(term, 'has: takes the name of one field, e.g. has:exception');
  }
  const key = /^kwargs\.(.+)$/.exec(value.value)?.[1];
  if (key === undefined) return { kind: 'has', field: fieldOf(value.value, value.from) };
  checkKey(key, value.from + 'kwargs.'.length);
  return { kind: 'argument', of: 'kwargs', key, patterns: [keyPattern(key)] };
}

function argument(term: ScannedTerm, of: string, key: string, operator: Operator): TermMeaning {
  const keyAt = (term.head?.from ?? 0) + of.length + 1;
  if (of !== 'args' && of !== 'kwargs') {
    const field = fieldOf(of, keyAt - of.length - 1);
    throw new TaskQueryError(`only args and kwargs have parts: write ${field}:`, keyAt - 1, key.length + 1);
  }
  if (operator !== '=' && operator !== ':' && operator !== ':~') {
    const at = keyAt + key.length;
    throw new TaskQueryError(
      `arguments are texts of Python, of which ${operator} tells nothing: use = or :~`,
      at,
      operator.length,
    );
  }
  if (term.values.length > MOST_ARGUMENT_VALUES) {
    throw wrong(term, `more than ${MOST_ARGUMENT_VALUES} values of an argument: leave some out`);
  }
  const starred = term.values.find(({ value }) => operator === ':' && value.split('*').length > MOST_STARS + 1);
  if (starred !== undefined) {
    const { from, to } = starred;
    throw new TaskQueryError(`at most ${MOST_STARS} * in the value of an argument`, from, to - from);
  }
  if (of === 'kwargs') {
    checkKey(key, keyAt);
    const patterns = term.values.map(({ value }) => keywordPattern(key, textOf(operator, value)));
    return { kind: 'argument', of, key, patterns };
  }
  const index = /^\d{1,2}$/.test(key) ? Number(key) : null;
  if (index === null || index > MOST_INDEX) {
    throw new TaskQueryError(
      `'${key}' is no place among the arguments: write args.0 for the first, up to args.${MOST_INDEX}`,
      keyAt,
      key.length,
    );
  }
  const patterns = term.values.map(({ value }) => positionalPattern(index, textOf(operator, value)));
  return { kind: 'argument', of, key, patterns };
}

/** Each place before makes the expression longer. */
const MOST_INDEX = 20;
/** Each is an expression of its own. */
const MOST_ARGUMENT_VALUES = 20;
/** JavaScript tries each in every place. */
const MOST_STARS = 3;

function checkKey(key: string, at: number): void {
  if (key === '') throw new TaskQueryError('name a key, e.g. kwargs.customer_id=42', at, 0);
  const last = key.slice(key.lastIndexOf('.') + 1);
  if (key.includes('.')) {
    throw new TaskQueryError(
      `keys within keys cannot be told apart: write kwargs.${last}, which is found at any depth`,
      at,
      key.length,
    );
  }
}

function textOf(operator: ':' | '=' | ':~', value: string): TextValue {
  if (operator === ':~') return { how: 'contains', value };
  return { how: operator === ':' && value.includes('*') ? 'glob' : 'exact', value };
}

/** @throws TaskQueryError with the field that is nearest */
function fieldOf(name: string, at: number): TaskField {
  if (isTaskField(name)) return name;
  const nearest = nearestField(name);
  const advice = nearest === null ? `use one of ${TASK_FIELDS.join(', ')};` : `did you mean ${nearest}?`;
  throw new TaskQueryError(
    `there is no field '${name}': ${advice} a text to search for is put in quotes`,
    at,
    name.length,
  );
}

/** By the fewest changes of a letter, two or a third of them at most; names of columns count as their fields. */
function nearestField(name: string): TaskField | null {
  const stem = name.toLowerCase().replace(/^task_|_(?:at|id|ids|seconds|type)$/g, '');
  let nearest: TaskField | null = null;
  let least = Math.max(2, Math.floor(stem.length / 3)) + 1;
  for (const field of TASK_FIELDS) {
    const changes = field.startsWith(stem) && stem.length > 2 ? 1 : changesBetween(stem, field);
    if (changes < least) [nearest, least] = [field, changes];
  }
  return nearest;
}

/** Levenshtein's distance. */
function changesBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function textValue(field: TextField, operator: Operator, scanned: ScannedValue, term: ScannedTerm): TextValue {
  if (operator !== ':' && operator !== '=' && operator !== ':~') {
    throw wrong(term, `${field} is a text, of which ${operator} tells nothing: use ${field}:, ${field}= or ${field}:~`);
  }
  const value = textOf(operator, scanned.value);
  if (value.how === 'contains' && value.value === '') {
    throw new TaskQueryError(
      `every text contains nothing: write has:${field} where one is known`,
      scanned.from,
      scanned.to - scanned.from,
    );
  }
  switch (field) {
    case 'state':
      return { ...value, value: value.value.toUpperCase() };
    case 'error':
      if (value.how !== 'exact' || !/^(?:[0-9a-f]{16})?$/i.test(value.value)) {
        const length = scanned.to - scanned.from;
        throw new TaskQueryError('an error group is named by 16 hex digits, as its page shows', scanned.from, length);
      }
      return { ...value, value: value.value.toLowerCase() };
    default:
      return value;
  }
}

function span(field: NumberField, operator: Operator, scanned: ScannedValue, now: number): NumberSpan {
  const { value: text, from } = scanned;
  const read = (part: string, at: number): TimeValue => {
    const value = valueIn(field, part, now);
    if (value !== null) return value;
    throw new TaskQueryError(adviceOn(field, part), at, part.length);
  };
  const closed = (min: number | null, max: TimeValue | null): NumberSpan => ({
    ...{ min, minIncluded: true, max: max?.end ?? null, maxIncluded: max !== null && max.end === max.start },
  });
  switch (operator) {
    case ':~':
      throw new TaskQueryError(`${field} is no text, of which :~ would tell: use > or <`, from - 2, 2);
    case '>':
    case '>=': {
      const { start, end } = read(text, from);
      const min = operator === '>' ? end : start;
      return { min, minIncluded: operator === '>=' || end > start, max: null, maxIncluded: false };
    }
    case '<':
    case '<=': {
      const { start, end } = read(text, from);
      const max = operator === '<' ? start : end;
      return { min: null, minIncluded: false, max, maxIncluded: operator === '<=' && end === start };
    }
    case ':':
    case '=': {
      const [first = '', last, ...more] = text.split('..');
      if (last === undefined) {
        const { start, end } = read(text, from);
        if (kindOf(field) === 'time' && start === end) {
          const advice = `a task is hardly of that very moment: write ${field}>${text} or a span, ${field}:${text}..now`;
          throw new TaskQueryError(advice, from, text.length);
        }
        return closed(start, { start, end });
      }
      if (more.length > 0 || (first === '' && last === '')) {
        throw new TaskQueryError('a span is written a..b, a.. or ..b', from, text.length);
      }
      const begin = first === '' ? null : read(first, from);
      const end = last === '' ? null : read(last, from + first.length + 2);
      if (begin !== null && end !== null && begin.start > end.end) {
        throw new TaskQueryError('the span ends before it begins: write the smaller first', from, text.length);
      }
      return closed(begin?.start ?? null, end);
    }
    default:
      return operator satisfies never;
  }
}

function valueIn(field: NumberField, text: string, now: number): TimeValue | null {
  const kind = kindOf(field);
  if (kind === 'time') return timeIn(text, now);
  const value = kind === 'duration' ? durationIn(text) : numberIn(text);
  return value === null ? null : { start: value, end: value };
}

function adviceOn(field: NumberField, text: string): string {
  switch (kindOf(field)) {
    case 'time': {
      const ago = durationIn(text) === null || !/[a-z]$/.test(text) ? null : `-${text}`;
      const advice = ago === null ? '-1h, today, 2026-11-21 or 2026-11-21T10:00' : `${ago} for ${text} ago`;
      return `'${text}' is no time: write ${advice}`;
    }
    case 'duration':
      return `'${text}' is no duration: write seconds, or 250ms, 30s, 5m, 2h`;
    default:
      return `'${text}' is no number`;
  }
}

const wrong = ({ from, to }: ScannedTerm, message: string): TaskQueryError =>
  new TaskQueryError(message, from, to - from);
