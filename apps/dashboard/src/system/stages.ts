import type { SystemStatus } from '@meadow/api';
import type { Hop } from '@meadow/contract';
import type { Tone } from '../design/states.ts';
import type { IconName } from '../design/icons.ts';
import { formatBytes, formatCount, formatRate } from '../format/number.ts';

/** A part that events pass, as the row of stages shows it. */
export interface Stage {
  readonly id: 'brokers' | 'collectors' | 'nats' | 'aggregators' | 'store';
  readonly title: string;
  readonly icon: IconName;
  readonly tone: Tone;
  /** The figure that matters most, and what it is of. */
  readonly figure: string;
  readonly of: string;
  /** Small print; '' when there is none. */
  readonly note: string;
}

/** The way from a stage to the next. */
export interface HopLag {
  readonly hop: Hop;
  readonly tone: Tone;
  /** Seconds; null when not known. */
  readonly lagSeconds: number | null;
  /** Messages that wait; null when not known. */
  readonly waiting: number | null;
  readonly hint: string;
}

const SLOW_SECONDS = 10;

const HINTS: Readonly<Record<Hop, string>> = {
  'broker-collector':
    'From the sender to the collector, newest event. Holds the difference of their clocks, so it may be off by that.',
  'collector-nats': 'From being taken to being on disk in NATS.',
  'nats-aggregator': 'How long messages waited in NATS before they were read.',
  'aggregator-store': 'From being collected to being stored, newest batch.',
};

/** The stages that an event passes, in order. @param clusters how many are watched, and how many brokers are heard */
export function stagesOf(
  status: SystemStatus,
  clusters: { readonly all: number; readonly connected: number },
): readonly Stage[] {
  const { services, bus, store, ingest } = status;
  const brokers = services.flatMap((service) => service.brokers);
  const replicas = (name: string) => services.filter(({ service }) => service === name);
  const collectors = replicas('collector');
  const aggregators = replicas('aggregator');
  const troubled = new Map(ingest.problems.map(({ at, tone }) => [at as string, tone] as const));
  const perSecond = (values: readonly (number | null)[]) =>
    values.some((value) => value !== null) ? values.reduce<number>((sum, value) => sum + (value ?? 0), 0) : null;
  const bytesPerSecond = perSecond(brokers.map((broker) => broker.bytes_per_second));
  return [
    {
      id: 'brokers',
      title: 'Brokers',
      icon: 'cluster',
      tone: clusters.connected < clusters.all ? 'bad' : clusters.all === 0 ? 'idle' : 'ok',
      figure: `${formatRate(perSecond(brokers.map((broker) => broker.messages_per_second)))}/s`,
      of: 'messages taken',
      note: `${clusters.connected} of ${clusters.all} heard${bytesPerSecond === null ? '' : ` · ${formatBytes(Math.round(bytesPerSecond))}/s`}`,
    },
    {
      id: 'collectors',
      title: 'Collectors',
      icon: 'plug',
      tone: !bus.ok ? 'idle' : collectors.length === 0 ? 'bad' : worst(collectors, troubled.get('collector-nats')),
      figure: `${formatRate(perSecond(brokers.map((broker) => broker.events_per_second)))}/s`,
      of: 'events decoded',
      note: running(bus.ok, collectors.length),
    },
    {
      id: 'nats',
      title: 'NATS',
      icon: 'inbox',
      tone: bus.ok ? (troubled.get('nats') ?? 'ok') : 'bad',
      figure: bus.stream === null ? '–' : formatCount(bus.stream.messages),
      of: 'batches held',
      note: bus.stream === null ? bus.error : `${formatBytes(bus.stream.bytes)} of ${formatBytes(bus.stream.maxBytes)}`,
    },
    {
      id: 'aggregators',
      title: 'Aggregators',
      icon: 'system',
      tone: !bus.ok ? 'idle' : aggregators.length === 0 ? 'bad' : worst(aggregators, troubled.get('nats-aggregator')),
      figure: !bus.ok ? '–' : formatCount(aggregators.length),
      of: 'running',
      note: aggregators.find(({ missing }) => missing !== null)?.missing ?? '',
    },
    {
      id: 'store',
      title: 'ClickHouse',
      icon: 'tasks',
      tone: store.ok ? (troubled.get('aggregator-store') ?? 'ok') : 'bad',
      figure: store.ok ? formatCount(store.rows) : '–',
      of: 'rows stored',
      note: store.ok ? `${formatBytes(store.bytes)} on disk` : store.error,
    },
  ];
}

/** The hops between the stages, the slowest of each. */
export function hopsOf({ services, ingest }: SystemStatus): readonly HopLag[] {
  const told = services.flatMap((service) => service.hops);
  const order: readonly Hop[] = ['broker-collector', 'collector-nats', 'nats-aggregator', 'aggregator-store'];
  return order.map((hop) => {
    const mine = told.filter((each) => each.hop === hop);
    const lagSeconds = most(mine.map((each) => each.lag_seconds));
    const problem = ingest.problems.find(({ at }) => at === hop);
    const slow = lagSeconds !== null && lagSeconds > SLOW_SECONDS;
    const tone = problem?.tone ?? (lagSeconds === null ? 'idle' : slow ? 'warn' : 'ok');
    return { hop, tone, lagSeconds, waiting: most(mine.map((each) => each.waiting)), hint: HINTS[hop] };
  });
}

/** A bounded buffer and how full it is. */
export interface Fill {
  readonly key: string;
  readonly name: string;
  /** Whose it is: a replica, a cluster; '' when there is one only. */
  readonly of: string;
  readonly used: string;
  readonly bound: string;
  /** 0 to 1. */
  readonly share: number;
  readonly tone: Tone;
}

const FULL = 0.995;
const NEARLY = 0.8;

/** Every bounded buffer, the fullest first. */
export function fillsOf({ services, bus, store }: SystemStatus): readonly Fill[] {
  const fills: Fill[] = [];
  const add = (name: string, of: string, used: number, bound: number, unit: 'bytes' | 'items') => {
    const share = bound <= 0 ? 0 : Math.min(1, used / bound);
    const tone = share >= FULL ? 'bad' : share >= NEARLY ? 'warn' : 'ok';
    const words = (value: number) => (unit === 'bytes' ? formatBytes(Math.round(value)) : formatCount(value));
    fills.push({ key: `${name} ${of} ${fills.length}`, name, of, used: words(used), bound: words(bound), share, tone });
  };
  if (bus.stream !== null) add('Events stream', 'NATS', bus.stream.bytes, bus.stream.maxBytes, 'bytes');
  if (store.load !== null && store.load.disk_total_bytes > 0) {
    const { disk_free_bytes: free, disk_total_bytes: total } = store.load;
    add('Disk', 'ClickHouse', total - free, total, 'bytes');
  }
  for (const { service, host, pid, buffers } of services) {
    for (const { name, cluster, used, bound, unit } of buffers) {
      add(titled(name), cluster === '' ? `${service} ${host}:${pid}` : cluster, used, bound, unit);
    }
  }
  return fills.sort((a, b) => b.share - a.share);
}

function most(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}

function worst(replicas: readonly { readonly missing: string | null }[], problem: 'warn' | 'bad' | undefined): Tone {
  return replicas.some(({ missing }) => missing !== null) ? 'bad' : (problem ?? 'ok');
}

function running(busOk: boolean, replicas: number): string {
  return busOk ? `${replicas} running` : 'not known while NATS is away';
}

function titled(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
