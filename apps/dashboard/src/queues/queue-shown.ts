import type { QueueNow } from '@meadow/api';
import type { PriorityFigures, QueueFact, QueueRow } from '@meadow/contract';

/** The figures of one queue, the newest there are. */
export interface QueueShown {
  readonly row: QueueRow;
  /** Who told: the broker now, Meadow's last look at it, or nobody. */
  readonly from: 'broker' | 'sample' | 'nobody';
  /** Unix seconds; null when nobody told. */
  readonly at: number | null;
  readonly byPriority: readonly Priority[];
  /** Task id of the message that is next. */
  readonly nextId: string | null;
  /** False when the broker says that there is no such queue. */
  readonly exists: boolean | null;
  /** One of Celery's own, for delayed delivery. */
  readonly delayed: boolean;
}

/** Messages that wait at one priority. `served`: null where that is not known. */
type Priority = Omit<PriorityFigures, 'served'> & { readonly served: boolean | null };

const UNSEEN: Omit<QueueRow, 'cluster' | 'queue'> = {
  ...{ first_seen_at: 0, last_seen_at: 0, sampled_at: null, kind: '', source: '' },
  ...{ ready: null, unacked: null, consumers: null, bytes: null, oldest_age_seconds: null },
  ...{ published_per_second: null, delivered_per_second: null, by_priority: null },
};

/**
 * Lays what the broker told over what was stored, where it is newer.
 * @param row as stored; undefined while it is not known, or when nothing is
 */
export function shownQueue(
  name: { readonly cluster: string; readonly queue: string },
  row: QueueRow | undefined,
  live: QueueNow | undefined,
): QueueShown {
  const stored = row ?? { ...UNSEEN, ...name };
  if (live === undefined || (stored.sampled_at ?? 0) > live.at) {
    const from = stored.sampled_at === null ? 'nobody' : 'sample';
    const byPriority = Object.entries(stored.by_priority ?? {}).map(([step, ready]) => ({
      ...{ step: Number(step), ready, served: null },
    }));
    const beside = { nextId: null, exists: null, delayed: live?.figures.delayed ?? false };
    return { row: stored, from, at: stored.sampled_at, byPriority: inOrder(byPriority), ...beside };
  }
  const { figures, at } = live;
  const { kind, source, ready, unacked, consumers, bytes, nextSentAt, rates } = figures;
  return {
    row: {
      ...stored,
      ...{ sampled_at: at, last_seen_at: Math.max(at, stored.last_seen_at) },
      ...{ kind, source, ready, unacked, consumers, bytes },
      oldest_age_seconds: nextSentAt === null ? null : Math.max(0, at - nextSentAt),
      published_per_second: rates?.published ?? null,
      delivered_per_second: rates?.delivered ?? null,
    },
    ...{ from: 'broker', at, byPriority: inOrder(figures.byPriority ?? []) },
    ...{ nextId: figures.nextId, exists: figures.exists, delayed: figures.delayed },
  };
}

function inOrder(priorities: readonly Priority[]): readonly Priority[] {
  return priorities.toSorted((a, b) => a.step - b.step);
}

/** Why a figure is not known, in a line. */
export function whyUnknown(shown: QueueShown, fact: QueueFact, live: QueueNow | undefined): string {
  switch (shown.from) {
    case 'broker':
      return live?.figures.unknown[fact] ?? 'the broker does not tell it';
    case 'sample':
      return live?.figures.unknown[fact] ?? 'it was not told at the last look';
    case 'nobody':
      return 'the broker was not looked at yet';
    default:
      return shown.from satisfies never;
  }
}

/** What kind of queue it is, in words; '' when that is not known. */
export function kindWords({ kind, source }: Pick<QueueRow, 'kind' | 'source'>): string {
  if (kind === 'list') return 'list of Redis';
  if (kind === '' || kind === 'unknown') return source === 'redis' ? 'Redis' : source === '' ? '' : 'RabbitMQ';
  return `${kind} queue of RabbitMQ`;
}
