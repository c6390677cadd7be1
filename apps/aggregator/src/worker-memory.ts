import { foldWorker, livenessOf, type CeleryEvent, type Worker } from '@meadow/celery';
import type { PipelineEvent, WorkerRow } from '@meadow/contract';
import type { WorkerWriteRow } from '@meadow/store';

/** Workers forgotten after this long without a sign of life; the store keeps them as long as its own rule says. */
const FORGET_SECONDS = 86_400;

interface Remembered {
  readonly cluster: string;
  readonly worker: Worker;
}

/** The workers of all clusters, as their events tell them. Bounded by forgetting the silent ones after a day. */
export class WorkerMemory {
  readonly #workers = new Map<string, Remembered>();
  readonly #startedBefore = new Map<string, { pid: number | null; startedAt: number | null }>();
  readonly #toWrite = new Set<string>();
  #toShow = new Set<string>();

  /** Takes what the store knew when this process began: a worker that started before it keeps its start. */
  remember(row: Pick<WorkerRow, 'cluster' | 'worker' | 'pid' | 'started_at'>): void {
    this.#startedBefore.set(keyOf(row.cluster, row.worker), { pid: row.pid, startedAt: row.started_at });
  }

  apply(cluster: string, event: PipelineEvent): void {
    const key = keyOf(cluster, event.worker);
    const before = this.#workers.get(key)?.worker ?? null;
    const after = foldWorker(before, asWorkerEvent(event), event.collected_at);
    if (after === null || after === before) return;
    this.#workers.set(key, { cluster, worker: after });
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
      byCluster.set(remembered.cluster, [...rows, { ...row, state: livenessOf(remembered.worker, now) }]);
    }
    return [...byCluster].map(([cluster, rows]) => ({ cluster, rows }));
  }

  forget(now: number): void {
    for (const [key, { worker }] of this.#workers) {
      if (now - worker.lastSeenAt > FORGET_SECONDS) this.#workers.delete(key);
    }
  }

  #writeRow(key: string, { cluster, worker }: Remembered): WorkerWriteRow {
    const before = this.#startedBefore.get(key);
    const startedAt = worker.startedAt ?? (before !== undefined && before.pid === worker.pid ? before.startedAt : null);
    return {
      cluster,
      worker: worker.hostname,
      pid: worker.pid,
      started_at: startedAt,
      last_heartbeat_at: worker.lastHeartbeatAt,
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

/** The fold looks at no key that a worker event of Celery's does not have. */
function asWorkerEvent({ worker, ...event }: PipelineEvent): CeleryEvent {
  return { ...event, hostname: worker } as CeleryEvent;
}

const keyOf = (cluster: string, hostname: string): string => `${cluster}\u001f${hostname}`;
