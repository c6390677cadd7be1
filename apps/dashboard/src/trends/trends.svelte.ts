import type { TrendNotes } from '@meadow/api';
import { createContext, untrack } from 'svelte';
import type { TrendInput } from '../api/trends-api.ts';
import { chartMarks } from '../chart/marks.svelte.ts';
import type { ChartGap, ChartMark } from '../chart/series.ts';
import type { Sort } from '../design/column.ts';
import { Polled } from '../live/polled.ts';
import { chartGaps } from '../overview/figures.ts';
import type { Session } from '../shell/session.svelte.ts';
import { readTrendView, writeTrendView, type TrendView } from './trend-view.ts';

/** A span is not narrowed to less than this, seconds. */
const LEAST_SPAN = 60;
/** Points that a chart has room for. */
const POINTS = 120;

/** What the parts of the page share: what is looked at, and what is known of its span besides figures. */
export class Trends {
  readonly #session: Session;
  readonly #view = $derived.by(() => readTrendView(this.#session.router.query));
  /** Everything that answers depend on, compared as text: the query is another object at every navigation. */
  readonly #asked = $derived.by(() => {
    const { scope, span, compare } = this.#view;
    return JSON.stringify([this.#session.cluster, scope, span, compare]);
  });
  readonly #notes = $derived.by(() => this.poll((input, signal) => this.#session.api.trends.notes(input, signal)));

  constructor(session: Session) {
    this.#session = session;
  }

  get view(): TrendView {
    return this.#view;
  }

  /** Asks, and asks again now and then: spans up to now move on. Another question keeps `seed` on the screen until it is answered. */
  poll<Data>(
    load: (input: TrendInput, signal: AbortSignal) => Promise<Data>,
    { points = POINTS, seed }: { readonly points?: number; readonly seed?: Data | undefined } = {},
  ): Polled<Data> {
    void this.#asked;
    const { scope, span, compare } = untrack(() => this.#view);
    const input = { cluster: untrack(() => this.#session.cluster), scope, span, points, compare };
    const everyMs = span === '30d' || span === '90d' || typeof span === 'object' ? 60_000 : 10_000;
    return new Polled<Data>({ everyMs, seed, load: (signal) => load(input, signal) });
  }

  /** Marks and gaps as charts draw them; none until they are known, as a chart need not wait for them. */
  get notes(): { readonly marks: readonly ChartMark[]; readonly gaps: readonly ChartGap[] } {
    return this.#drawn;
  }

  readonly #drawn = $derived.by(() => {
    const { data } = this.#notes.state;
    if (data === undefined) return { marks: [], gaps: [] };
    return { marks: chartMarks(data.marks, data.to), gaps: chartGaps(data, data.to) };
  });

  /** The marks themselves; undefined until they are known. */
  get marks(): TrendNotes['marks'] | undefined {
    return this.#notes.state.data?.marks;
  }

  refreshNotes(): void {
    this.#notes.refresh();
  }

  show(change: Partial<TrendView>): void {
    const { router } = this.#session;
    router.setQuery(writeTrendView({ ...this.#view, ...change }, router.query), 'push');
  }

  /** Address of the page with something changed. */
  href(change: Partial<TrendView>): string {
    const { router } = this.#session;
    const query = writeTrendView({ ...this.#view, ...change }, router.query);
    if (change.tab !== undefined) query.delete('sort');
    return router.href({ page: 'trends' }, query);
  }

  /** What the table of the page is sorted by: `name`, or `-name` from the highest down. */
  get sort(): Sort | null {
    const told = this.#session.router.query.get('sort');
    return told === null ? null : { by: told.replace(/^-/, ''), desc: told.startsWith('-') };
  }

  /** Sorts by a column: figures from the highest down first, and the other way when it is chosen again. */
  sortBy(by: string): void {
    const { router } = this.#session;
    const { query } = router;
    const now = this.sort;
    query.set('sort', now?.by === by && now.desc ? by : `-${by}`);
    router.setQuery(query);
  }

  /** Looks at what was drawn over, Unix seconds: at least a minute of it. */
  zoom(from: number, to: number): void {
    const begin = Math.floor(from);
    this.show({ span: { from: begin, to: Math.max(Math.ceil(to), begin + LEAST_SPAN) } });
  }
}

export const [getTrends, setTrends] = createContext<Trends>();
