import type { Pause, QueueRow } from '@meadow/contract';
import type { Look } from '../design/states.ts';
import { isSilent, type Takers } from './takers.ts';

/** How a queue is, what matters most first. */
export type QueueState =
  /** By Meadow's word no worker takes from it. */
  | 'paused'
  /** Messages wait, and nobody takes them. */
  | 'unattended'
  /** Messages wait, and those who took them have not answered lately. */
  | 'silent'
  /** Its figures are too old to say anything of now. */
  | 'stale'
  /** How many messages wait is not known. */
  | 'unknown'
  | 'waiting'
  | 'empty'
  /** Known by its tasks alone. */
  | 'unsampled'
  /** Its broker is looked at and does not have it any more. */
  | 'gone';

/** A queue as the list shows it. */
export interface QueueLine {
  readonly row: QueueRow;
  readonly state: QueueState;
  /** By its broker; where that does not tell, workers that say that they take from it. Null: not known. */
  readonly consumers: number | null;
  readonly paused: Pause | null;
  /** Empty and out of use for long: not worth a line. */
  readonly idle: boolean;
}

/** What is known of a queue beside what is stored. */
export interface AboutQueue {
  /** Of its cluster; null when workers cannot be asked. */
  readonly takers: Takers | null;
  readonly paused: Pause | null;
}

/** Queues are looked at every 15 s. */
const STALE_SECONDS = 60;
/** So much older than the newest of its cluster, a look was the last. */
const GONE_SECONDS = 300;
const IDLE_SECONDS = 3_600;

const LOOKS: Readonly<Record<QueueState, Look>> = {
  paused: { tone: 'off', icon: 'pause', label: 'Paused' },
  unattended: { tone: 'warn', icon: 'alert', label: 'No consumers' },
  silent: { tone: 'warn', icon: 'help', label: 'No answer' },
  stale: { tone: 'warn', icon: 'clock', label: 'Stale' },
  unknown: { tone: 'idle', icon: 'help', label: 'Not known' },
  waiting: { tone: 'run', icon: 'play', label: 'Waiting' },
  empty: { tone: 'ok', icon: 'check', label: 'Empty' },
  unsampled: { tone: 'idle', icon: 'dashed', label: 'Not looked at' },
  gone: { tone: 'idle', icon: 'slash', label: 'Gone' },
};

const WORDS: Readonly<Record<QueueState, string>> = {
  paused: 'Its workers were told to take nothing from it',
  unattended: 'Messages wait and nobody takes them',
  silent: 'Messages wait, and the workers that take from it have not answered lately',
  stale: 'Its broker was not looked at for over a minute: the figures are old',
  unknown: 'Its broker does not tell how many messages wait',
  waiting: 'Messages wait, and there is who takes them',
  empty: 'No message waits',
  unsampled: 'Tasks name it; its broker was not looked at, or does not have it',
  gone: 'Its broker does not have it any more: these are its last figures',
};

export const queueLook = (state: QueueState): Look => LOOKS[state];
/** The state in a sentence. */
export const queueWords = (state: QueueState): string => WORDS[state];

/** Names a queue across clusters. */
export function queueKey({ cluster, queue }: Pick<QueueRow, 'cluster' | 'queue'>): string {
  return `${cluster}\n${queue}`;
}

/** @param now Unix seconds */
export function queueLines(
  rows: readonly QueueRow[],
  about: (row: QueueRow) => AboutQueue,
  now: number,
): readonly QueueLine[] {
  const lookedAt = new Map<string, number>();
  for (const { cluster, sampled_at } of rows) {
    lookedAt.set(cluster, Math.max(lookedAt.get(cluster) ?? 0, sampled_at ?? 0));
  }
  return rows.map((row) => queueLine(row, about(row), lookedAt.get(row.cluster) ?? 0, now));
}

function queueLine(row: QueueRow, { takers, paused }: AboutQueue, lookedAt: number, now: number): QueueLine {
  const named = takers?.of.get(row.queue) ?? [];
  const taking = named.filter((taker) => !isSilent(taker, now)).length;
  const silent = named.length - taking;
  const byWorkers = taking > 0 || (takers?.complete === true && silent === 0) ? taking : null;
  const consumers = row.consumers ?? byWorkers;
  const state = (): QueueState => {
    if (row.sampled_at === null) return 'unsampled';
    if (lookedAt - row.sampled_at > GONE_SECONDS) return 'gone';
    if (paused !== null && (consumers ?? 0) === 0) return 'paused';
    if (now - row.sampled_at > STALE_SECONDS) return 'stale';
    if (row.ready === null) return 'unknown';
    if (row.ready === 0) return 'empty';
    if (consumers === 0) return 'unattended';
    return consumers === null && silent > 0 ? 'silent' : 'waiting';
  };
  const known = state();
  const holds = (row.ready ?? 0) > 0 || (row.unacked ?? 0) > 0;
  const unused = now - row.last_seen_at > IDLE_SECONDS && taking === 0 && paused === null;
  const idle = known === 'gone' || (unused && !holds);
  return { row, state: known, consumers, paused, idle };
}

/** What a list of queues comes to. */
export interface QueueTotals {
  readonly queues: number;
  /** Messages that wait, of the queues of which that is known; null when of none. */
  readonly ready: number | null;
  readonly unacked: number | null;
  /** Queues with messages that nobody takes. */
  readonly unattended: number;
  readonly paused: number;
  /** Unix seconds at which the oldest of the newest looks was; null when nothing was looked at. */
  readonly lookedAt: number | null;
}

/** Gone and idle queues do not count. */
export function totalsOf(lines: readonly QueueLine[]): QueueTotals {
  const current = lines.filter(({ idle }) => !idle);
  const sum = (of: (row: QueueRow) => number | null): number | null => {
    const known = current.flatMap(({ row }) => of(row) ?? []);
    return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
  };
  const count = (...states: QueueState[]): number => current.filter(({ state }) => states.includes(state)).length;
  const looks = current.flatMap(({ row }) => row.sampled_at ?? []);
  return {
    queues: current.length,
    ready: sum(({ ready }) => ready),
    unacked: sum(({ unacked }) => unacked),
    unattended: count('unattended'),
    paused: count('paused'),
    lookedAt: looks.length === 0 ? null : Math.min(...looks),
  };
}

/** What the list can be sorted by; `trouble` is what it is when nothing is chosen. */
export const QUEUE_SORTS = ['trouble', 'name', 'waiting', 'unacked', 'consumers', 'oldest', 'in', 'out'] as const;
export type QueueSort = (typeof QUEUE_SORTS)[number];

export function readSort(query: URLSearchParams): QueueSort {
  const named = query.get('sort');
  return QUEUE_SORTS.find((sort) => sort === named) ?? 'trouble';
}

/** What wants a look comes first. */
const TROUBLE: readonly QueueState[] = [
  ...(['unattended', 'silent', 'paused', 'stale', 'waiting', 'unknown', 'empty', 'unsampled', 'gone'] as const),
];

/** The most first, what is not known last. */
export function sortQueues(lines: readonly QueueLine[], by: QueueSort): readonly QueueLine[] {
  const byName = (a: QueueLine, b: QueueLine): number =>
    compare(a.row.queue, b.row.queue) || compare(a.row.cluster, b.row.cluster);
  const rank = ({ state }: QueueLine): number => TROUBLE.indexOf(state);
  const figure = FIGURES[by];
  return lines.toSorted((a, b) => {
    if (figure !== null) return most(figure(a), figure(b)) || byName(a, b);
    if (by === 'name') return byName(a, b);
    return rank(a) - rank(b) || most(a.row.ready, b.row.ready) || byName(a, b);
  });
}

const FIGURES: Readonly<Record<QueueSort, ((line: QueueLine) => number | null) | null>> = {
  trouble: null,
  name: null,
  waiting: ({ row }) => row.ready,
  unacked: ({ row }) => row.unacked,
  consumers: ({ consumers }) => consumers,
  oldest: ({ row }) => row.oldest_age_seconds,
  in: ({ row }) => row.published_per_second,
  out: ({ row }) => row.delivered_per_second,
};

function most(a: number | null, b: number | null): number {
  return (b ?? -1) - (a ?? -1);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
