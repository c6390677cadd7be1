import { LOST_REASONS, TASK_STATES } from '../task-state.ts';
import { explainField, isTaskField, kindOf, TASK_FIELDS, type TaskField } from './fields.ts';
import { scanTerms } from './scan.ts';

/** What may stand there. */
interface CompletionOption {
  /** Put in the place of what is typed, as it is. */
  readonly insert: string;
  readonly label: string;
  readonly explains: string;
}

/**
 * What is being typed at the caret. `from` to `to` is what an option takes the place of (UTF-16 units), `typed` what of it
 * stands before the caret, without quotes. Of `value` and `key` (of `kwargs`) the options are those that need no look-up.
 */
export type TaskQueryCompletion = {
  readonly from: number;
  readonly to: number;
  readonly typed: string;
  readonly options: readonly CompletionOption[];
} & ({ readonly kind: 'field' } | { readonly kind: 'key' } | { readonly kind: 'value'; readonly field: string });

/** Takes any text, also one that is not a query yet. */
export function completeTaskQuery(text: string, caret: number): TaskQueryCompletion {
  const term = scanTerms(text).find(({ from, to }) => from <= caret && caret <= to);
  if (term === undefined) return fieldAt(caret, caret, '');
  const { head, values, from, to, not } = term;
  const first = values[0]?.from ?? to;
  if (head === null) {
    const start = from + (not ? 1 : 0);
    if (caret < start) return fieldAt(caret, caret, '');
    const typed = text.slice(start, caret);
    if (typed.startsWith('"')) return { kind: 'value', field: '', from: start, to, typed: typed.slice(1), options: [] };
    return nameAt(start, to, typed);
  }
  if (caret < first) {
    const start = head.from;
    return nameAt(start, first, text.slice(start, Math.max(start, caret)));
  }
  const value = values.find((each) => each.from <= caret && caret <= each.to) ?? { from: caret, to: caret };
  const typed = text
    .slice(value.from, caret)
    .replace(/^"/, '')
    .replaceAll(/\\(["\\])/g, '$1');
  const { field } = head;
  if (field === 'has' && typed.startsWith('kwargs.')) {
    const at = value.from + 'kwargs.'.length;
    return { kind: 'key', from: at, to: Math.max(at, value.to), typed: typed.slice('kwargs.'.length), options: [] };
  }
  // of a span, the end that is being written
  const dots = isTaskField(field) && kindOf(field) !== 'text' ? typed.lastIndexOf('..') + 1 : 0;
  const start = dots === 0 ? value.from : value.from + dots + 1;
  const part = dots === 0 ? typed : typed.slice(dots + 1);
  return { kind: 'value', field, from: start, to: value.to, typed: part, options: startingWith(part, valuesOf(field)) };
}

function nameAt(from: number, to: number, typed: string): TaskQueryCompletion {
  if (!typed.startsWith('kwargs.')) return fieldAt(from, to, typed);
  const at = from + 'kwargs.'.length;
  return { kind: 'key', from: at, to: Math.max(at, to), typed: typed.slice('kwargs.'.length), options: [] };
}

function fieldAt(from: number, to: number, typed: string): TaskQueryCompletion {
  return { kind: 'field', from, to, typed, options: startingWith(typed, FIELD_OPTIONS) };
}

/** Those that begin with what is typed before those that have it somewhere. */
function startingWith(typed: string, options: readonly CompletionOption[]): readonly CompletionOption[] {
  const part = typed.toLowerCase();
  const found = options.filter(({ label }) => label.toLowerCase().includes(part));
  const isFirst = ({ label }: CompletionOption): boolean => label.toLowerCase().startsWith(part);
  return [...found.filter(isFirst), ...found.filter((option) => !isFirst(option))];
}

const FIELD_OPTIONS: readonly CompletionOption[] = [
  ...TASK_FIELDS.flatMap((field) => [
    { insert: `${field}${kindOf(field) === 'text' ? ':' : '>'}`, label: field, explains: explainField(field) },
    ...(field === 'kwargs'
      ? [{ insert: 'kwargs.', label: 'kwargs.', explains: 'one keyword argument, by its key' }]
      : []),
    ...(field === 'args' ? [{ insert: 'args.0=', label: 'args.0', explains: 'one positional argument, from 0' }] : []),
  ]),
  { insert: 'has:', label: 'has', explains: 'what is known of it' },
];

const STATES: Readonly<Record<(typeof TASK_STATES)[number], string>> = {
  PENDING: 'sent, no worker has it yet',
  RECEIVED: 'a worker has it and has not begun',
  STARTED: 'it runs',
  RETRY: 'it failed and waits to be tried again',
  SUCCESS: 'it returned',
  FAILURE: 'it raised an exception',
  REVOKED: 'it was revoked',
  REJECTED: 'a worker put it aside',
  LOST: 'its end was never heard of',
};

const TIMES: readonly CompletionOption[] = [
  ...['-15m', '-1h', '-6h', '-24h', '-7d', '-30d'].map((time) => option(time, `${time.slice(1)} ago`)),
  option('today', 'since midnight, UTC'),
  option('yesterday', 'the day before, UTC'),
  option('now', 'this moment'),
];

const DURATIONS = ['100ms', '1s', '10s', '1m', '5m', '1h'].map((duration) => option(duration, 'a duration'));

function valuesOf(field: string): readonly CompletionOption[] {
  if (field === 'has') return TASK_FIELDS.map((name) => option(name, explainField(name)));
  if (!isTaskField(field)) return [];
  const kind = kindOf(field);
  switch (kind) {
    case 'time':
      return TIMES;
    case 'duration':
      return DURATIONS;
    case 'number':
      return [];
    case 'text':
      return WORDS[field] ?? [];
    default:
      return kind satisfies never;
  }
}

const WORDS: Readonly<Partial<Record<TaskField, readonly CompletionOption[]>>> = {
  state: TASK_STATES.map((state) => option(state, STATES[state])),
  reason: LOST_REASONS.map((reason) => option(reason, 'why it counts as lost')),
};

function option(word: string, explains: string): CompletionOption {
  return { insert: word, label: word, explains };
}
