import { scanTerms, type Operator, type ScannedTerm } from './scan.ts';

/** A term of a field, with quotes where its values need them, e.g. `-name:"a b",c`. */
export function formatTerm(field: string, operator: Operator, values: readonly string[], not = false): string {
  return `${not ? '-' : ''}${field}${operator}${values.map(valueText).join(',')}`;
}

/** A free text, quoted where it would read as something else. */
export function formatText(text: string, not = false): string {
  const [term, ...more] = scanTerms(text);
  const isPlain =
    term?.head === null && !term.not && more.length === 0 && term.to === text.length && !/^[\s"-]/.test(text);
  return `${not ? '-' : ''}${isPlain ? text : quoted(text)}`;
}

/** The text with a term at its end. */
export function withTerm(text: string, term: string): string {
  const kept = text.trimEnd();
  return kept === '' ? term : `${kept} ${term}`;
}

/**
 * Adds a value to what a field may be, or takes it out again: `state:RETRY` becomes `state:RETRY,FAILURE`, and the other
 * way round. Negated terms and other operators than `:` are left alone.
 */
export function toggleValue(text: string, field: string, value: string): string {
  const terms = scanTerms(text).filter(
    ({ head, not }) => !not && head !== null && head.field === field && head.operator === ':',
  );
  const has = terms.find(({ values }) => values.some((each) => each.value === value));
  const term = has ?? terms.at(-1);
  if (term === undefined) return withTerm(text, formatTerm(field, ':', [value]));
  const before = term.values.map((each) => each.value).filter((each) => each !== '' || has === term);
  const values = has === undefined ? [...before, value] : before.filter((each) => each !== value);
  return replaced(text, term, values.length === 0 ? '' : formatTerm(field, ':', values));
}

function replaced(text: string, { from, to }: ScannedTerm, term: string): string {
  if (term !== '') return text.slice(0, from) + term + text.slice(to);
  return [text.slice(0, from).trimEnd(), text.slice(to).trimStart()].filter((part) => part !== '').join(' ');
}

function valueText(value: string): string {
  return value === '' || /^[~=]|[\s",]/.test(value) ? quoted(value) : value;
}

function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}
