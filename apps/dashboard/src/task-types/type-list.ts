import type { TaskTypeLine } from '@meadow/api';
import type { Sort } from '../design/column.ts';

const FIGURES = {
  name: ({ name }: TaskTypeLine) => name,
  ended: ({ ended, received }: TaskTypeLine) => (ended === 0 ? (received > 0 ? 0 : null) : ended),
  failed: ({ failedShare }: TaskTypeLine) => failedShare,
  p50: ({ runtime }: TaskTypeLine) => runtime.p50,
  p95: ({ runtime }: TaskTypeLine) => runtime.p95,
  p99: ({ runtime }: TaskTypeLine) => runtime.p99,
  wait: ({ wait }: TaskTypeLine) => wait.p95,
  last: ({ lastAt }: TaskTypeLine) => lastAt,
} satisfies Record<string, (line: TaskTypeLine) => string | number | null>;

type TypeFigure = keyof typeof FIGURES;
const NAMES = Object.keys(FIGURES);
const isFigure = (text: string): text is TypeFigure => NAMES.includes(text);

export interface TypeSort extends Sort {
  readonly by: TypeFigure;
}

export const USUAL_SORT: TypeSort = { by: 'ended', desc: true };

/** Reads `sort=p95` or `sort=-p95`: with a minus, the most first. */
export function readTypeSort(query: URLSearchParams): TypeSort {
  const text = query.get('sort') ?? '';
  const by = text.replace(/^-/, '');
  return isFigure(by) ? { by, desc: text.startsWith('-') } : USUAL_SORT;
}

/** As the address has it; '' for the usual. */
export function writeTypeSort({ by, desc }: TypeSort): string {
  return by === USUAL_SORT.by && desc === USUAL_SORT.desc ? '' : `${desc ? '-' : ''}${by}`;
}

/** What choosing a column does: a name from A, a figure from the most; once more the other way. */
export function nextSort(by: string, now: TypeSort): TypeSort {
  if (!isFigure(by)) return now;
  return { by, desc: by === now.by ? !now.desc : by !== 'name' };
}

/** Those with a text in their name, in order; where a figure is not known, last, by name. */
export function typesInOrder(
  lines: readonly TaskTypeLine[],
  only: string,
  { by, desc }: TypeSort,
): readonly TaskTypeLine[] {
  const text = only.trim().toLowerCase();
  const figure = FIGURES[by];
  const sign = desc ? -1 : 1;
  return lines
    .filter(({ name, queues }) => [name, ...queues].some((each) => each.toLowerCase().includes(text)))
    .sort((a, b) => {
      const [left, right] = [figure(a), figure(b)];
      if (left === null || right === null) return left === right ? byName(a, b) : left === null ? 1 : -1;
      return left === right ? byName(a, b) : left < right ? -sign : sign;
    });
}

const byName = (a: TaskTypeLine, b: TaskTypeLine): number =>
  a.name === b.name ? (a.cluster < b.cluster ? -1 : 1) : a.name < b.name ? -1 : 1;
