import { isObject, textOf } from '../control/untyped.ts';

/** What one worker or task answered. */
interface Answer {
  readonly kind: 'worker' | 'task';
  readonly name: string;
  readonly outcome: string;
  readonly words: string;
  /** Of the task that was sent instead; '' for none. */
  readonly newId: string;
}

/** A message that was looked at before something was done to its queue. */
interface SeenMessage {
  readonly id: string;
  /** Of its task. */
  readonly name: string;
}

/** A text of a record that should be JSON. */
interface Told {
  /** As it is to be read, in lines; '' where it says nothing. */
  readonly text: string;
  /** Characters that it had where a record holds fewer; null when it is whole. */
  readonly cutFrom: number | null;
}

const CUT = /…\(cut from (\d+) characters\)$/;

/** Arguments in lines. What was cut is no JSON any more, and stays as it is. */
export function readJson(text: string): Told {
  const [, from] = CUT.exec(text) ?? [];
  if (from !== undefined) return { text, cutFrom: Number(from) };
  const value = parsed(text);
  if (value === undefined) return { text, cutFrom: null };
  const empty = value === null || (typeof value === 'object' && Object.keys(value).length === 0);
  return { text: empty ? '' : JSON.stringify(value, null, 2), cutFrom: null };
}

/** Arguments in one line, as `n=1 queue=mail`; '' for none. */
export function inLine(text: string): string {
  const value = parsed(text);
  if (!isObject(value)) return value === undefined ? text : '';
  return Object.entries(value)
    .filter(([, each]) => each !== null && each !== '')
    .map(([name, each]) => `${name}=${typeof each === 'string' ? each : JSON.stringify(each)}`)
    .join(' ');
}

/**
 * Each worker's or task's answer, what went wrong first; of a text that was cut, those that are whole. Null for what is no
 * list of answers.
 */
export function readAnswers(text: string): readonly Answer[] | null {
  const value = CUT.test(text) ? parsedBegin(text) : parsed(text);
  if (!Array.isArray(value)) return null;
  const answers = value.map(answerIn);
  if (answers.includes(null)) return null;
  return answers.filter((answer) => answer !== null).sort((a, b) => orderOf(a.outcome) - orderOf(b.outcome));
}

function answerIn(value: unknown): Answer | null {
  if (!isObject(value) || !('outcome' in value)) return null;
  const kind = 'worker' in value ? 'worker' : 'task' in value ? 'task' : null;
  if (kind === null) return null;
  return {
    ...{ kind, name: textOf(value[kind]), outcome: textOf(value['outcome']), newId: textOf(value['new_id']) },
    words: textOf(value['words']) || textOf(value['code']),
  };
}

/** Messages that a record of a begin tells of; none where it tells of none. */
export function readSeen(text: string): readonly SeenMessage[] {
  const value = parsed(text);
  if (!Array.isArray(value)) return [];
  return value.flatMap((each: unknown) =>
    isObject(each) && 'id' in each && 'task' in each ? [{ id: textOf(each['id']), name: textOf(each['task']) }] : [],
  );
}

const WELL: ReadonlySet<string> = new Set(['done', 'sent', 'aborted', 'ready']);
const ORDER: Readonly<Record<string, number>> = { failed: 0, refused: 1, unsure: 2, silent: 3 };
const orderOf = (outcome: string): number => (WELL.has(outcome) ? 9 : (ORDER[outcome] ?? 4));

/** The list as far as its objects are whole. What looks like the end of one may be within a text: then the one before is. */
function parsedBegin(text: string): unknown {
  let end = text.length;
  for (let tries = 0; tries < 100; tries++) {
    end = text.lastIndexOf('},{', end - 1);
    if (end < 1) return undefined;
    const value = parsed(`${text.slice(0, end + 1)}]`);
    if (value !== undefined) return value;
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
