import type { SeenValue } from '@meadow/api';
import { completeTaskQuery, formatTerm, SEEN_FIELDS, type SeenField } from '@meadow/contract/task-query';
import { formatCount } from '../format/number.ts';
import type { SearchMemory } from './search-memory.ts';

/** What a query may become at its caret. */
export interface Suggestion {
  readonly kind: 'recent' | 'saved' | 'field' | 'value';
  readonly label: string;
  /** Says more of it; '' for nothing. */
  readonly note: string;
  /** The note is how many tasks have it. */
  readonly counted: boolean;
  /** The whole query if it is taken, and where the caret is then. */
  readonly text: string;
  readonly caret: number;
}

/** Values to look up for what is being typed. */
export interface Lookup {
  readonly field: SeenField;
  readonly prefix: string;
}

const MOST_SUGGESTED = 50;

/** What of other tasks would help at a caret; null where nothing does. */
export function lookupAt(text: string, caret: number): Lookup | null {
  const completion = completeTaskQuery(text, caret);
  if (completion.kind === 'field') return null;
  const name = completion.kind === 'key' ? 'kwargs' : completion.field;
  const field = SEEN_FIELDS.find((each) => each === name);
  // what was said of all keyword arguments is no value of one of them
  if (field === undefined || (field === 'kwargs' && completion.kind === 'value')) return null;
  return { field, prefix: completion.typed };
}

/** @param seen the answer to `lookupAt`, as far as it is there */
export function suggestionsAt(
  text: string,
  caret: number,
  seen: readonly SeenValue[],
  memory: SearchMemory,
): readonly Suggestion[] {
  const { kind, from, to, options, ...completion } = completeTaskQuery(text, caret);
  const put = (insert: string, isTerm: boolean): Pick<Suggestion, 'text' | 'caret'> => {
    // behind the last term stands a blank, so that the next can begin
    const whole = isTerm && to === text.length ? `${insert} ` : insert;
    return { text: text.slice(0, from) + whole + text.slice(to), caret: from + whole.length };
  };
  const known = options.map(({ insert, label, explains }): Suggestion => {
    const isTerm = kind === 'value';
    return { kind: isTerm ? 'value' : 'field', label, note: explains, counted: false, ...put(insert, isTerm) };
  });
  const isPresence = text.slice(0, from).endsWith('has:kwargs.');
  const looked = seen.map(({ value, count }): Suggestion => {
    const told = {
      kind: 'value',
      label: value,
      note: count === null ? '' : formatCount(count),
      counted: true,
    } as const;
    if (kind === 'key') return { ...told, ...put(isPresence ? value : `${value}=`, isPresence) };
    const field = 'field' in completion ? completion.field : '';
    return { ...told, ...put(formatTerm(field, ':', [value]).slice(field.length + 1), true) };
  });
  const former = text.trim() === '' ? formerOnes(memory) : [];
  return [...former, ...known, ...looked].slice(0, MOST_SUGGESTED);
}

function formerOnes({ saved, recent }: SearchMemory): readonly Suggestion[] {
  const whole = (query: string) => ({ counted: false, text: query, caret: query.length });
  return [
    ...saved.map(({ name, query }): Suggestion => ({ kind: 'saved', label: name, note: query, ...whole(query) })),
    ...recent.map((query): Suggestion => ({ kind: 'recent', label: query, note: '', ...whole(query) })),
  ];
}
