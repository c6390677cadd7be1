import type { WorkerLine } from '@meadow/api';

/** The copies of a worker as one line. */
export interface PoolLine {
  readonly cluster: string;
  readonly pool: string;
  /** Those shown by default: stopped and long lost ones are history. */
  readonly current: readonly WorkerLine[];
  /** Stopped, or lost for more than an hour. */
  readonly gone: readonly WorkerLine[];
  readonly online: number;
  readonly lost: number;
  readonly quiet: number;
  readonly active: number;
  readonly succeeded_last_hour: number;
  readonly failed_last_hour: number;
  /** Mean load over a minute of those that tell it. */
  readonly load: number | null;
  /** Each once, oldest first. */
  readonly versions: readonly string[];
  /** Unix seconds. */
  readonly heardAt: number | null;
}

/** A worker that fell silent is worth a look for this long; then it is history. Seconds. */
const LOST_SHOWN_SECONDS = 3600;

/** Whether a worker is history. @param now Unix seconds */
function isGone(worker: WorkerLine, now: number): boolean {
  return (
    worker.state === 'offline' || (worker.state === 'lost' && now - (worker.last_heard_at ?? 0) > LOST_SHOWN_SECONDS)
  );
}

export function poolKey(pool: Pick<PoolLine, 'cluster' | 'pool'>): string {
  return `${pool.cluster}\n${pool.pool}`;
}

/** Pools in order of trouble, then of name. @param now Unix seconds */
export function groupPools(workers: readonly WorkerLine[], now: number): PoolLine[] {
  const members = new Map<string, WorkerLine[]>();
  for (const worker of workers) {
    const key = poolKey(worker);
    const pool = members.get(key);
    if (pool === undefined) members.set(key, [worker]);
    else pool.push(worker);
  }
  return [...members.values()].flatMap((pool) => poolLine(pool, now)).sort(byTrouble);
}

function poolLine(workers: readonly WorkerLine[], now: number): PoolLine[] {
  const [first] = workers;
  if (first === undefined) return [];
  const current = workers.filter((worker) => !isGone(worker, now));
  const loads = current.flatMap((worker) => worker.loadavg[0] ?? []);
  const count = (state: WorkerLine['state']): number => current.filter((worker) => worker.state === state).length;
  const sum = (of: (worker: WorkerLine) => number): number => workers.reduce((total, worker) => total + of(worker), 0);
  const versions = new Set(current.map((worker) => worker.sw_ver).filter((version) => version !== ''));
  const heard = workers.flatMap((worker) => worker.last_heard_at ?? []);
  const line: PoolLine = {
    cluster: first.cluster,
    pool: first.pool,
    current,
    gone: workers.filter((worker) => isGone(worker, now)),
    online: count('online'),
    lost: count('lost'),
    quiet: count('quiet'),
    active: current.reduce((total, { active, state }) => total + (state === 'online' ? (active ?? 0) : 0), 0),
    succeeded_last_hour: sum((worker) => worker.succeeded_last_hour),
    failed_last_hour: sum((worker) => worker.failed_last_hour),
    load: loads.length === 0 ? null : loads.reduce((total, load) => total + load, 0) / loads.length,
    versions: [...versions].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })),
    heardAt: heard.length === 0 ? null : Math.max(...heard),
  };
  return [line];
}

function byTrouble(a: PoolLine, b: PoolLine): number {
  return (
    Number(b.lost > 0) - Number(a.lost > 0) ||
    Number(a.current.length === 0) - Number(b.current.length === 0) ||
    a.cluster.localeCompare(b.cluster, 'en') ||
    a.pool.localeCompare(b.pool, 'en')
  );
}

/** Below this the difference may be the way of the message. Seconds. */
const SKEW_SECONDS = 2;

/** How far a worker's clock is off, in words; null when it is not, or not known. */
export function skewText(offset: number | null): string | null {
  if (offset === null || Math.abs(offset) < SKEW_SECONDS) return null;
  const size = Math.abs(offset);
  const text =
    size < 120
      ? `${size.toFixed(1)} s`
      : size < 7200
        ? `${Math.round(size / 60)} min`
        : `${(size / 3600).toFixed(1)} h`;
  return `${text} ${offset > 0 ? 'behind' : 'ahead'}`;
}
