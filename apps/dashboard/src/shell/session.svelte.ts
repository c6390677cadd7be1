import { createContext } from 'svelte';
import type { ClusterLine, IngestState, RangeName } from '@meadow/api';
import type { Api } from '../api/api.ts';
import type { LinkMode } from '../live/link.ts';
import { Polled } from '../live/polled.ts';
import { DEFAULT_RANGE, readRange } from '../router/range.ts';
import type { Route } from '../router/route.ts';
import type { Router } from '../router/router.ts';
import { readSpan, writeSpan, type Span } from '../router/span.ts';

/** How the page in view is kept up to date, for the indicator in the top bar. */
export interface Freshness {
  readonly mode: LinkMode | 'polling';
  /** Unix seconds, see `LinkState`. */
  readonly since: number;
  readonly paused: boolean;
  setPaused(paused: boolean): void;
}

/** Lists, which are of one cluster where the address names it, and of all where it does not. */
const OF_ANY_CLUSTER: ReadonlySet<Route['page']> = new Set([
  'tasks',
  'workflows',
  'types',
  'run',
  'trends',
  'errors',
  'queues',
  'workers',
  'sql',
  'audit',
  'system',
]);

/** What every page shares: where it is, whom it asks, which cluster and range it looks at. */
export class Session {
  readonly api: Api;
  readonly router: Router;
  readonly clusters: Polled<readonly ClusterLine[]>;
  readonly ingest: Polled<IngestState>;
  #freshness = $state.raw<Freshness | null>(null);

  constructor(api: Api, router: Router) {
    this.api = api;
    this.router = router;
    this.ingest = new Polled({ load: (signal) => api.ingest(signal), everyMs: 5000 });
    this.clusters = new Polled({ load: (signal) => api.clusters(signal), everyMs: 5000 });
  }

  get range(): RangeName {
    return readRange(this.router.query);
  }

  /** For pages that also look between two times. */
  get span(): Span {
    return readSpan(this.router.query);
  }

  /** The cluster in focus; null for all. */
  get cluster(): string | null {
    const { route } = this.router;
    if ('cluster' in route) return route.cluster;
    return this.router.query.get('cluster');
  }

  get freshness(): Freshness | null {
    return this.#freshness;
  }

  /** Shows how a page is kept up to date until it says otherwise; returns how to take it back. */
  show(freshness: Freshness): () => void {
    this.#freshness = freshness;
    return () => {
      if (this.#freshness === freshness) this.#freshness = null;
    };
  }

  /** Address of a page that keeps cluster and range. */
  href(route: Route, query: Readonly<Record<string, string>> = {}): string {
    const kept: Record<string, string> = {};
    if (this.range !== DEFAULT_RANGE) kept['range'] = this.range;
    const cluster = this.cluster;
    if (cluster !== null && OF_ANY_CLUSTER.has(route.page)) kept['cluster'] = cluster;
    return this.router.href(route, Object.entries({ ...kept, ...query }));
  }

  /** Address of the page in view for another cluster. */
  hrefFor(cluster: string | null): string {
    const { route } = this.router;
    switch (route.page) {
      case 'overview':
      case 'task':
      case 'workflow':
      case 'type':
      case 'error':
      case 'queue':
      case 'worker':
      case 'missing':
        return this.href({ page: 'overview', cluster });
      case 'doctor':
      case 'broker':
        return this.href(cluster === null ? { page: 'overview', cluster } : { page: route.page, cluster });
      case 'tasks':
      case 'workflows':
      case 'types':
      case 'run':
      case 'trends':
      case 'errors':
      case 'queues':
      case 'workers':
      case 'sql':
      case 'audit':
      case 'system': {
        const query = this.router.query;
        query.delete('cluster');
        query.delete('request');
        if (cluster !== null) query.set('cluster', cluster);
        return this.router.href(route, query);
      }
      default:
        return route satisfies never;
    }
  }

  chooseSpan(span: Span): void {
    this.router.setQuery(writeSpan(span, this.router.query), 'push');
  }
}

export const [getSession, setSession] = createContext<Session>();
