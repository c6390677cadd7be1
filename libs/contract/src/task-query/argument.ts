import type { ArgumentPattern, TextValue } from './query.ts';

/** Of a regular expression that both RE2 and JavaScript take. */
const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

/** As Celery's `saferepr` writes a text: of all characters only `'` is escaped. */
const quoted = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;

/** Python's words for those of JSON. */
const WORDS: Readonly<Record<string, string>> = { true: 'True', false: 'False', null: 'None' };

/** Containers within one another that `saferepr` writes out, and one more for what it calls, e.g. `UUID(…)`. */
const LEVELS = 4;

/** A string of a repr, a container with what is in it, or a character that is neither a quote, a bracket nor a comma. */
const STRING = `'(?:[^'\\\\]|\\\\[\\s\\S])*'|"(?:[^"\\\\]|\\\\[\\s\\S])*"`;
const CONTAINER = Array.from({ length: LEVELS }).reduce<string>(
  (inner) => `[([{](?:${STRING}${inner === '' ? '' : `|${inner}`}|[^'"()[\\]{}])*[)\\]}]`,
  '',
);
const ITEM = `(?:${STRING}|${CONTAINER}|[^'"()[\\]{},])+`;

/**
 * How a value under a key is found in the repr of keyword arguments, at whatever depth: `'key': ` is the same text there, so
 * the levels cannot be told apart. A text that itself reads like that is found too.
 */
export function keywordPattern(key: string, value: TextValue): ArgumentPattern {
  const head = `${quoted(key)}: `;
  return { ...patternOf(value, (body) => `[{ ]${escaped(head)}${body}[,}]`), needles: needlesOf(head, value) };
}

/** How any value under a key is found. */
export function keyPattern(key: string): ArgumentPattern {
  const head = `${quoted(key)}: `;
  return { source: `[{ ]${escaped(head)}`, ignoreCase: false, needles: [head] };
}

/** How a positional argument is found in the repr of all. @param index from 0 */
export function positionalPattern(index: number, value: TextValue): ArgumentPattern {
  const before = index === 0 ? '' : `(?:${ITEM}, ){${index}}`;
  return { ...patternOf(value, (body) => `^[([]${before}${body}[,)\\]]`), needles: needlesOf('', value) };
}

function patternOf({ how, value }: TextValue, within: (body: string) => string) {
  switch (how) {
    case 'exact':
      return { source: within(`(?:${written(value).map(escaped).join('|')})`), ignoreCase: false };
    case 'glob': {
      const parts = value.split('*');
      const text = parts.map((part) => escaped(part.replaceAll("'", "\\'"))).join(`(?:[^'\\\\]|\\\\[\\s\\S])*`);
      const word = parts.map(escaped).join(`[^'",()[\\]{}]*`);
      return { source: within(`(?:'${text}'|${word})`), ignoreCase: false };
    }
    case 'contains': {
      const text = escaped(value.replaceAll("'", "\\'"));
      const inText = `'(?:[^'\\\\]|\\\\[\\s\\S])*?${text}(?:[^'\\\\]|\\\\[\\s\\S])*'`;
      const inWord = `[^'",()[\\]{}]*?${escaped(value)}[^'",()[\\]{}]*`;
      return { source: within(`(?:${inText}|${inWord})`), ignoreCase: true };
    }
    default:
      return how satisfies never;
  }
}

/** The ways in which a value may stand there: as a text, or as it is. */
function written(value: string): readonly string[] {
  const word = WORDS[value];
  return [quoted(value), ...(value === '' ? [] : [value]), ...(word === undefined ? [] : [word])];
}

function needlesOf(head: string, { how, value }: TextValue): readonly string[] {
  if (how === 'exact') return written(value).map((text) => `${head}${text}`);
  return head === '' || how === 'contains' ? [] : [head];
}
