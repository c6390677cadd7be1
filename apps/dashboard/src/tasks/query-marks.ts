import { parseTaskQuery, TaskQueryError } from '@meadow/contract/task-query';

/** A stretch of a query's text. */
export interface QueryMark {
  readonly text: string;
  /** `gap` is what lies between terms, and everything that could not be read yet. */
  readonly kind: 'term' | 'not' | 'gap' | 'wrong';
}

/** What is wrong with a query; null when nothing is. @param now Unix seconds */
export function wrongWith(text: string, now: number): TaskQueryError | null {
  try {
    parseTaskQuery(text, now);
    return null;
  } catch (error) {
    if (error instanceof TaskQueryError) return error;
    throw error;
  }
}

/** The whole text in stretches, for drawing: its terms, or the place that is wrong. @param now Unix seconds */
export function marksOf(text: string, now: number): readonly QueryMark[] {
  const wrong = wrongWith(text, now);
  const spans =
    wrong === null
      ? parseTaskQuery(text, now).terms.map(({ position, length, not }) => ({
          from: position,
          to: position + length,
          kind: not ? ('not' as const) : ('term' as const),
        }))
      : [{ ...placeOf(wrong, text), kind: 'wrong' as const }];
  const marks: QueryMark[] = [];
  let at = 0;
  for (const { from, to, kind } of spans) {
    marks.push({ text: text.slice(at, from), kind: 'gap' }, { text: text.slice(from, to), kind });
    at = to;
  }
  marks.push({ text: text.slice(at), kind: 'gap' });
  return marks.filter((mark) => mark.text !== '');
}

/** Where to point at; where something is missing, at what stands before it. */
export function placeOf(
  { position, length }: Pick<TaskQueryError, 'position' | 'length'>,
  text: string,
): { readonly from: number; readonly to: number } {
  if (length > 0) return { from: position, to: Math.min(text.length, position + length) };
  return { from: Math.max(0, position - 1), to: Math.max(1, position) };
}
