import type { Mark } from '@meadow/api';
import { formatClock } from '../format/time.ts';
import { Polled } from '../live/polled.ts';
import type { Session } from '../shell/session.svelte.ts';
import type { ChartMark } from './series.ts';

/** What a chart shows: of one cluster or all, Unix seconds. */
interface Shown {
  readonly cluster: string | null;
  readonly from: number;
  readonly to: number;
}

/** Marks as charts draw them. @param now Unix seconds: of another day the day is told too */
export const chartMarks = (marks: readonly Mark[], now: number): ChartMark[] =>
  marks.map(({ at, title, cluster }) => ({
    at,
    label: `${title}${cluster === '' ? '' : ` · ${cluster}`} · ${formatClock(at, now)}`,
  }));

/** The marks of what a chart shows; none until they are known, as a chart waits for nothing. Call while a component is set up. */
export function marksOf(session: Session, shown: () => Shown | null): { readonly drawn: readonly ChartMark[] } {
  // a span up to now moves on, which is no other question every time
  const asked = $derived.by(() => {
    const span = shown();
    return span === null ? '' : `${span.from} ${span.to} ${span.cluster ?? ''}`;
  });
  const polled = $derived.by(() => {
    const [from, to, cluster = ''] = asked.split(' ');
    if (asked === '') return null;
    const input = { cluster: cluster === '' ? null : cluster, from: Number(from), to: Number(to) };
    return new Polled({ everyMs: 30_000, load: (signal) => session.api.trends.marks(input, signal) });
  });
  const drawn = $derived(chartMarks(polled?.state.data ?? [], Number(asked.split(' ')[1])));
  return {
    get drawn() {
      return drawn;
    },
  };
}
