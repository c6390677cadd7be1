import type { Hop, ServiceStatus } from '@meadow/contract';
import type { IngestProblem, IngestState, StreamInfo } from './answers.ts';

export interface IngestFacts {
  /** Unix seconds. */
  readonly now: number;
  /** Unix seconds since when this gateway looks: a part that was not heard of before may just not have told yet. */
  readonly since: number;
  /** What is wrong with NATS and the store; null when they answer. */
  readonly bus: string | null;
  readonly store: string | null;
  readonly stream: StreamInfo | null;
  readonly services: readonly ServiceStatus[];
  /** Unix seconds of the newest event that any collector heard. */
  readonly lastEventAt: number | null;
}

/** What is stored may be this much behind what was heard, before anybody is told. */
const DELAY_SECONDS = 10;
/** What is stored leaves the stream within half of this. */
const FREED_SECONDS = 60;
const GRACE_SECONDS = 20;
const NEARLY_FULL = 0.8;
const FULL = 0.995;

const SLOW: Readonly<Record<Exclude<Hop, 'broker-collector'>, Omit<IngestProblem, 'at' | 'tone'>>> = {
  'collector-nats': {
    says: 'Collectors cannot hand events on to NATS as fast as they come',
    effect:
      'RabbitMQ keeps what waits, up to its bound; what Redis sends is held in memory, and past that told as a gap.',
  },
  'nats-aggregator': {
    says: 'Events wait in NATS longer than usual',
    effect: 'Nothing is lost. Pages and live views are behind until it has caught up.',
  },
  'aggregator-store': {
    says: 'ClickHouse takes events slower than they come',
    effect: 'Nothing is lost: they wait in NATS. Lists and charts are behind until it has caught up.',
  },
};

/** Whether what is shown is as new as what was heard, and what stands in the way. */
export function ingestState(facts: IngestFacts): IngestState {
  const problems = [...partProblems(facts), ...hopProblems(facts)];
  const delayedSeconds = delayOf(facts);
  if (delayedSeconds !== null && delayedSeconds > 0 && problems.length === 0) {
    problems.push({ at: 'nats-aggregator', tone: 'warn', ...SLOW['nats-aggregator'] });
  }
  return { delayedSeconds, problems: problems.sort((a, b) => Number(b.tone === 'bad') - Number(a.tone === 'bad')) };
}

function partProblems({ now, since, bus, store, stream, services }: IngestFacts): IngestProblem[] {
  const problems: IngestProblem[] = [];
  if (store !== null) {
    problems.push({
      at: 'store',
      tone: 'bad',
      // which of our questions found out is of no interest here
      says: `The store is away: ${store.replace(/ \([^()]*\)$/, '')}`,
      effect: `Events wait in NATS${stream === null ? '' : `, which is ${percent(fillOf(stream))} full`}. Lists and charts cannot be shown.`,
    });
  }
  if (bus !== null) {
    problems.push({
      at: 'nats',
      tone: 'bad',
      says: `NATS is away: ${bus}`,
      effect:
        'Collectors hold events: RabbitMQ keeps them up to its bound; what Redis sends is held in memory, and past that told as a gap. Live views stand still.',
    });
    return problems;
  }
  if (stream !== null && fillOf(stream) >= NEARLY_FULL) {
    const full = fillOf(stream) >= FULL;
    problems.push({
      at: 'nats',
      tone: full ? 'bad' : 'warn',
      says: full
        ? 'The events stream in NATS is full and takes no more'
        : `The events stream in NATS is ${percent(fillOf(stream))} full`,
      effect: full
        ? 'Collectors hold events: RabbitMQ keeps them up to its bound; what Redis sends past the buffer is told as a gap.'
        : 'At its bound it takes no more, and collectors hold events back.',
    });
  }
  if (now - since > GRACE_SECONDS && stream !== null && !services.some(({ service }) => service === 'aggregator')) {
    problems.push({
      at: 'nats-aggregator',
      tone: 'bad',
      says: 'No aggregator is running',
      effect: 'Events wait in NATS and are stored when one starts. Live views stand still.',
    });
  }
  return problems;
}

function hopProblems({ services, store }: IngestFacts): IngestProblem[] {
  const slow = new Set<Exclude<Hop, 'broker-collector'>>();
  for (const { hops } of services) {
    for (const { hop, lag_seconds: lag } of hops) {
      // the broker's hop holds the difference of two clocks: it is shown, and blames nobody
      if (hop !== 'broker-collector' && lag !== null && lag > DELAY_SECONDS) slow.add(hop);
    }
  }
  // told already, with its reason
  if (store !== null) slow.delete('aggregator-store');
  return [...slow].map((hop) => ({ at: hop, tone: 'warn', ...SLOW[hop] }));
}

function delayOf({ now, services, stream, lastEventAt }: IngestFacts): number | null {
  // what one aggregator has yet to store stays in the stream, however far the others are
  const oldestAt = stream?.oldestAt ?? null;
  if (oldestAt !== null && now - oldestAt > FREED_SECONDS) return now - oldestAt;
  if (lastEventAt === null) return null;
  const storedUntil = storedUntilOf(services, oldestAt);
  if (storedUntil === null) return null;
  // what is not in the stream any more is stored: after a quiet hour the next event is no hour late
  const until = stream === null ? storedUntil : Math.max(storedUntil, oldestAt ?? now);
  return lastEventAt - until > DELAY_SECONDS ? now - until : 0;
}

/** Where no aggregator has stored anything since it began, it may have had to since it began, or since the oldest came. */
function storedUntilOf(services: readonly ServiceStatus[], oldestAt: number | null): number | null {
  const stored = services.flatMap((service) => service.stored_until ?? []);
  if (stored.length > 0) return Math.max(...stored);
  const begun = services.flatMap(({ service, started_at: at }) => (service === 'aggregator' ? at : []));
  return begun.length > 0 ? Math.min(...begun) : oldestAt;
}

function fillOf({ bytes, maxBytes }: StreamInfo): number {
  return maxBytes <= 0 ? 0 : bytes / maxBytes;
}

function percent(share: number): string {
  return `${share > 0 && share < 0.01 ? '<1' : Math.round(share * 100)} %`;
}
