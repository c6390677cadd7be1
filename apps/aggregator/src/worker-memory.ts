import { foldWorker, livenessOf, type CeleryEvent, type Worker } from '@meadow/celery';
import { workerPool, type PipelineEvent, type WorkerRow } from '@meadow/contract';
import type { WorkerWriteRow } from '@meadow/store';

/** Workers forgotten after this long without a sign of life; the store keeps them as long as its own rule says. */
const FORGET_SECONDS = 86_400;
/** Of more than these the longest silent are forgotten: names of pods come without end. */
export const MAX_WORKERS = 20_000;
/** The distance of clocks is the least of a span between one and two of these: a clock that is set right is believed soon. */
const OFFSET_WINDOW_SECONDS = 300;

interface Remembered {
  readonly cluster: string;
  readonly pool: string;
  readonly worker: Worker;
  /** Unix seconds, the collector's clock. */
  readonly heardAt: number;
  readonly offset: Offset;
}

/** Arrival minus sender's time, seconds, the least of this window and of the one before. */
interface Offset {
  readonly since: number;
  readonly least: number;
  readonly before: number;
}

/** The workers of all clusters, as their events tell them. Bounded by forgetting the silent ones. */
export class WorkerMemory {
  readonly #workers = new Map<string, Remembered>();
  readonly #startedBefore = new Map<string, { pid: number | null; startedAt: number | null }>();
  readonly #toWrite = new Set<string>();
  #toShow = new Set<string>();
  readonly #poolOf: (cluster: string, worker: string) => string;

  /** @param poolOf by the rules of the worker's cluster */
  constructor(poolOf = (_cluster: string, worker: string): string => workerPool(worker)) {
    this.#poolOf = poolOf;
  }

  /** Takes what the store knew when this process began: a worker that started before it keeps its start. */
  remember(row: Pick<WorkerRow, 'cluster' | 'worker' | 'pid' | 'started_at'>): void {
    this.#startedBefore.set(keyOf(row.cluster, row.worker), { pid: row.pid, startedAt: row.started_at });
  }

  apply(cluster: string, event: PipelineEvent): void {
    const key = keyOf(cluster, event.worker);
    const known = this.#workers.get(key);
    const after = foldWorker(known?.worker ?? null, asWorkerEvent(event), event.collected_at);
    if (after === null || after === known?.worker) return;
    this.#workers.set(key, {
      cluster,
      pool: this.#poolOf(cluster, event.worker),
      worker: after,
      heardAt: Math.max(event.collected_at, known?.heardAt ?? 0),
      offset: nextOffset(known?.offset, event.collected_at - event.timestamp, event.collected_at),
    });
    this.#toWrite.add(key);
    this.#toShow.add(key);
  }

  /** Rows that changed since they were last taken, for the store. */
  takeWrites(): WorkerWriteRow[] {
    const rows = [...this.#toWrite].flatMap((key) => {
      const remembered = this.#workers.get(key);
      return remembered === undefined ? [] : [this.#writeRow(key, remembered)];
    });
    this.#toWrite.clear();
    return rows;
  }

  /** Rows that changed since they were last taken, for whoever looks on, by cluster. */
  takeLive(now: number): { cluster: string; rows: WorkerRow[] }[] {
    const changed = this.#toShow;
    this.#toShow = new Set();
    const byCluster = new Map<string, WorkerRow[]>();
    for (const key of changed) {
      const remembered = this.#workers.get(key);
      if (remembered === undefined) continue;
      const { offline: _, updated_at: _at, ...row } = this.#writeRow(key, remembered);
      const rows = byCluster.get(remembered.cluster) ?? [];
      rows.push({ ...row, state: livenessOf(remembered.worker, now) });
      byCluster.set(remembered.cluster, rows);
    }
    return [...byCluster].map(([cluster, rows]) => ({ cluster, rows }));
  }

  forget(now: number): void {
    for (const [key, { worker }] of this.#workers) {
      if (now - worker.lastSeenAt > FORGET_SECONDS) this.#workers.delete(key);
    }
    const tooMany = this.#workers.size - MAX_WORKERS;
    if (tooMany <= 0) return;
    const longestSilent = [...this.#workers].sort(([, one], [, other]) => one.heardAt - other.heardAt);
    for (const [key] of longestSilent.slice(0, tooMany)) this.#workers.delete(key);
  }

  #writeRow(key: string, { cluster, pool, worker, heardAt, offset }: Remembered): WorkerWriteRow {
    const before = this.#startedBefore.get(key);
    const startedAt = worker.startedAt ?? (before !== undefined && before.pid === worker.pid ? before.startedAt : null);
    return {
      cluster,
      worker: worker.hostname,
      pool,
      pid: worker.pid,
      started_at: startedAt,
      last_heartbeat_at: worker.lastHeartbeatAt,
      last_heard_at: heardAt,
      clock_offset_seconds: Math.min(offset.least, offset.before),
      active: worker.active,
      processed: worker.processed,
      loadavg: [...(worker.loadavg ?? [])],
      freq: worker.freq,
      sw_ident: worker.swIdent ?? '',
      sw_ver: worker.swVer ?? '',
      sw_sys: worker.swSys ?? '',
      offline: worker.state === 'offline',
      updated_at: worker.lastSeenAt,
    };
  }
}

function nextOffset(known: Offset | undefined, offset: number, at: number): Offset {
  if (known === undefined) return { since: at, least: offset, before: Infinity };
  if (at - known.since > OFFSET_WINDOW_SECONDS) return { since: at, least: offset, before: known.least };
  return { ...known, least: Math.min(known.least, offset) };
}

/** The fold looks at no key that a worker event of Celery's does not have. */
function asWorkerEvent({ worker, ...event }: PipelineEvent): CeleryEvent {
  return { ...event, hostname: worker } as CeleryEvent;
}

const keyOf = (cluster: string, hostname: string): string => `${cluster}\u001f${hostname}`;
