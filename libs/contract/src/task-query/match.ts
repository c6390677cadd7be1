import { exceptionClass } from '@meadow/celery/exception';
import type { TaskListRow } from '../task.ts';
import type { NumberField, TaskField, TextField } from './fields.ts';
import type { ArgumentPattern, NumberSpan, TaskQuery, TaskTerm, TextValue } from './query.ts';

/** Lists cut args, kwargs, result and exception to so many characters. */
const LIST_TEXT = 200;

/** null: what the row shows of the task does not tell. */
type Verdict = boolean | null;
type Judge = (row: TaskListRow) => Verdict;

/**
 * Judges rows as the store would judge the tasks that they are of. A row whose text is cut, and does not hold what is
 * searched for as far as it goes, gives null: only the store can tell.
 * @returns null when no row of a list can tell, e.g. by a traceback: then ask the store
 */
export function taskMatcher(query: TaskQuery): ((row: TaskListRow) => boolean | null) | null {
  const judges: Judge[] = [];
  for (const term of query.terms) {
    const judge = judgeOf(term);
    if (judge === null) return null;
    judges.push(term.not ? (row) => negated(judge(row)) : judge);
  }
  return (row) => {
    let all: Verdict = true;
    for (const judge of judges) {
      const verdict = judge(row);
      if (verdict === false) return false;
      all &&= verdict;
    }
    return all;
  };
}

const negated = (verdict: Verdict): Verdict => (verdict === null ? null : !verdict);

/** One of some holds; a text that goes on behind its cut may yet hold it. */
const anyOf = <T>(values: readonly T[], holds: (value: T) => boolean, isCut: boolean): Verdict =>
  values.some(holds) ? true : isCut ? null : false;

const isCut = (text: string): boolean => text.length >= LIST_TEXT;

function judgeOf(term: TaskTerm): Judge | null {
  switch (term.kind) {
    case 'free': {
      const holds = contains(term.text);
      return (row) => {
        const texts = [row.name, row.task_id, row.args, row.kwargs, row.result, row.exception];
        return anyOf(texts, holds, texts.some(isCut));
      };
    }
    case 'text':
      return judgeText(term.field, term.values);
    case 'number': {
      const { spans, field } = term;
      const column = NUMBERS[field];
      return column === null ? null : (row) => spans.some((span) => lies(row[column], span));
    }
    case 'has':
      return judgePresence(term.field);
    case 'argument': {
      const { of } = term;
      const holds = term.patterns.map(matches);
      return (row) => anyOf(holds, (each) => each(row[of]), isCut(row[of]));
    }
    default:
      return term satisfies never;
  }
}

/** What of a row tells a field; null where nothing does. */
const TEXTS = {
  ...{ id: 'task_id', state: 'state', name: 'name', queue: 'queue', worker: 'worker', cluster: 'cluster' },
  ...{ root: 'root_id', parent: 'parent_id', args: 'args', kwargs: 'kwargs', result: 'result' },
  ...{ exception: 'exception', progress: 'progress' },
  ...{ pool: null, client: null, traceback: null, error: null, reason: null, exchange: null, routing_key: null },
} as const satisfies Record<TextField, keyof TaskListRow | null>;
const CUT: readonly TextField[] = ['args', 'kwargs', 'result', 'exception'];

const NUMBERS = {
  ...{ retries: 'retries', attempts: 'attempts', runtime: 'runtime_seconds', wait: 'wait_seconds' },
  ...{ seen: 'first_seen_at', sent: 'sent_at', received: 'received_at', started: 'started_at' },
  ...{ finished: 'finished_at', updated: 'updated_at', eta: null },
} as const satisfies Record<NumberField, keyof TaskListRow | null>;

function judgeText(field: TextField, values: readonly TextValue[]): Judge | null {
  const column = TEXTS[field];
  if (column === null) return null;
  const judges = values.map((value): Judge => {
    const fits = fitting(value);
    // the class stands before any cut
    if (field === 'exception' && value.how !== 'contains') return (row) => fits(exceptionClass(row.exception) ?? '');
    if (!CUT.includes(field)) return (row) => fits(row[column]);
    return (row) => {
      if (!isCut(row[column])) return fits(row[column]);
      return value.how === 'contains' && fits(row[column]) ? true : null;
    };
  });
  return (row) => {
    const verdicts = judges.map((judge) => judge(row));
    return verdicts.includes(true) ? true : verdicts.includes(null) ? null : false;
  };
}

function judgePresence(field: TaskField): Judge | null {
  const column = { ...TEXTS, ...NUMBERS }[field];
  return column === null ? null : (row) => row[column] !== '' && row[column] !== null;
}

function contains(part: string): (text: string) => boolean {
  const lower = part.toLowerCase();
  return (text) => text.toLowerCase().includes(lower);
}

function fitting({ how, value }: TextValue): (text: string) => boolean {
  switch (how) {
    case 'exact':
      return (text) => text === value;
    case 'contains':
      return contains(value);
    case 'glob':
      return globbed(value.split('*'));
    default:
      return how satisfies never;
  }
}

/** Pieces in their order, the first at the begin and the last at the end. */
function globbed(pieces: readonly string[]): (text: string) => boolean {
  const first = pieces[0] ?? '';
  const last = pieces.at(-1) ?? '';
  const between = pieces.slice(1, -1);
  return (text) => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    for (const piece of between) {
      const found = text.indexOf(piece, at);
      if (found === -1) return false;
      at = found + piece.length;
    }
    return at <= text.length - last.length;
  };
}

function matches({ source, ignoreCase }: ArgumentPattern): (text: string) => boolean {
  const pattern = new RegExp(source, ignoreCase ? 'i' : '');
  return (text) => pattern.test(text);
}

function lies(value: number | null, { min, minIncluded, max, maxIncluded }: NumberSpan): boolean {
  if (value === null) return false;
  if (min !== null && (minIncluded ? value < min : value <= min)) return false;
  return max === null || (maxIncluded ? value <= max : value < max);
}
