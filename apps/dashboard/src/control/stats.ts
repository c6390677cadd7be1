import { isObject, listOf, numberOf, textOf } from './untyped.ts';

/** How a pool runs tasks; `other` is one of somebody's own. */
export type PoolKind = 'prefork' | 'threads' | 'solo' | 'eventlet' | 'gevent' | 'other';

interface Pool {
  readonly kind: PoolKind;
  /** Tasks that can run at once. */
  readonly size: number | null;
  /** Pids of what runs tasks, beside the main process; empty where it is the main process that does. */
  readonly processes: readonly number[];
  /** Tasks after which a process is replaced; null for never, or where there is no such thing. */
  readonly tasksPerChild: number | null;
  /** Of every task that has none of its own, seconds; null is none. */
  readonly softLimit: number | null;
  readonly hardLimit: number | null;
}

interface Autoscaler {
  readonly min: number;
  readonly max: number;
}

/** What `rusage` tells: of the main process alone, never of pool processes. */
interface Usage {
  /** In user and system mode since it started. */
  readonly cpuSeconds: number;
  /** The most it ever had in memory, in the unit of its platform: kilobytes, on macOS bytes. */
  readonly maxrss: number;
}

/** A worker's answer to `stats`, as far as pages need it. */
export interface Stats {
  readonly pid: number | null;
  readonly uptimeSeconds: number | null;
  /** Messages that it takes from the broker ahead; 0 for as many as there are. */
  readonly prefetch: number | null;
  readonly pool: Pool;
  readonly autoscaler: Autoscaler | null;
  readonly usage: Usage | null;
  /** `redis://host:6379/0`, without a password. */
  readonly broker: string;
  /** Tasks by name since it started, most first. */
  readonly ran: readonly { readonly name: string; readonly count: number }[];
}

/**
 * Reads what a worker answered to `stats`; null for what is none. Versions from 4 on are understood.
 * @param workerPool its setting `worker_pool`, '' for not known: it decides where the answer does not say which pool it is
 */
export function readStats(value: unknown, workerPool = ''): Stats | null {
  if (!isObject(value) || !isObject(value['pool'])) return null;
  const pid = numberOf(value['pid']);
  const ran = Object.entries(isObject(value['total']) ? value['total'] : {});
  return {
    pid,
    uptimeSeconds: numberOf(value['uptime']),
    prefetch: numberOf(value['prefetch_count']),
    pool: readPool(value['pool'], pid, workerPool),
    autoscaler: readAutoscaler(value['autoscaler']),
    usage: readUsage(value['rusage']),
    broker: readBroker(value['broker']),
    ran: ran.map(([name, count]) => ({ name, count: numberOf(count) ?? 0 })).sort((a, b) => b.count - a.count),
  };
}

function readPool(pool: Readonly<Record<string, unknown>>, pid: number | null, workerPool: string): Pool {
  const kind = kindOf(pool, workerPool);
  const processes = listOf(pool['processes']).flatMap((each) => numberOf(each) ?? []);
  const most = numberOf(pool['max-concurrency']);
  const [soft, hard] = listOf(pool['timeouts']).map((each) => numberOf(each));
  return {
    kind,
    // max-concurrency is what a prefork pool began with, or the least of an autoscaled one
    size: kind === 'prefork' && processes.length > 0 ? processes.length : most,
    processes: processes.filter((each) => each !== pid),
    tasksPerChild: numberOf(pool['max-tasks-per-child']),
    softLimit: soft === 0 || soft === undefined ? null : soft,
    hardLimit: hard === 0 || hard === undefined ? null : hard,
  };
}

/** By the last part of its module's name, and by what `worker_pool` calls it. */
const NAMES: Readonly<Record<string, PoolKind>> = {
  prefork: 'prefork',
  processes: 'prefork',
  thread: 'threads',
  threads: 'threads',
  solo: 'solo',
  eventlet: 'eventlet',
  gevent: 'gevent',
};

/** Newer versions name the class; before, each of Celery's pools tells other things of itself, and gevent's nothing. */
function kindOf(pool: Readonly<Record<string, unknown>>, workerPool: string): PoolKind {
  const [, module] = /^celery\.concurrency\.(\w+):/.exec(textOf(pool['implementation'])) ?? [];
  if ('implementation' in pool) return NAMES[module ?? ''] ?? 'other';
  if ('threads' in pool) return 'threads';
  if ('free-threads' in pool) return 'eventlet';
  if ('writes' in pool) return 'prefork';
  if ('processes' in pool) return pool['max-tasks-per-child'] === null ? 'solo' : 'prefork';
  if (workerPool !== '' && workerPool !== 'prefork') return NAMES[workerPool] ?? 'other';
  return Object.keys(pool).every((key) => key === 'max-concurrency') ? 'gevent' : 'other';
}

function readAutoscaler(value: unknown): Autoscaler | null {
  if (!isObject(value)) return null;
  const [min, max] = [numberOf(value['min']), numberOf(value['max'])];
  return min === null || max === null ? null : { min, max };
}

/** Named numbers; a sentence instead on platforms that have none, such as Windows. */
function readUsage(value: unknown): Usage | null {
  if (!isObject(value)) return null;
  const [user, system, maxrss] = [numberOf(value['utime']), numberOf(value['stime']), numberOf(value['maxrss'])];
  return user === null || system === null || maxrss === null ? null : { cpuSeconds: user + system, maxrss };
}

function readBroker(value: unknown): string {
  if (!isObject(value)) return '';
  const host = textOf(value['hostname']);
  const port = numberOf(value['port']);
  const place = textOf(value['virtual_host']).replace(/^\//, '');
  return `${textOf(value['transport'])}://${host}${port === null ? '' : `:${port}`}/${place}`;
}

/**
 * How much of one core the main process took between two answers, as a share of 1; null where that cannot be told.
 * @param seconds between the two answers
 */
export function cpuShare(before: Stats | null, after: Stats, seconds: number): number | null {
  if (before === null || before.pid !== after.pid || seconds < 1) return null;
  if (before.usage === null || after.usage === null) return null;
  return Math.max(0, after.usage.cpuSeconds - before.usage.cpuSeconds) / seconds;
}

/** The words for a kind of pool. */
export const POOL_WORDS: Readonly<Record<PoolKind, string>> = {
  prefork: 'Prefork',
  threads: 'Threads',
  solo: 'Solo',
  eventlet: 'Eventlet',
  gevent: 'Gevent',
  other: 'One of its own',
};
