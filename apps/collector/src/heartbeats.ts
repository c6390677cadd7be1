import type { WorkerEvent } from '@meadow/celery';

/** How often a worker's newest heartbeat is passed on. Workers send one every 2 s. */
export const HEARTBEAT_INTERVAL_MS = 5_000;

/** A heartbeat waiting to be passed on. */
export interface PendingHeartbeat {
  readonly event: WorkerEvent;
  readonly extra: Readonly<Record<string, unknown>> | null;
  readonly collectedAt: number;
}

/**
 * Thins heartbeats: of each worker only the newest of every interval goes on, so that thousands of workers cost a map
 * write a heartbeat. Bounded by the number of workers that sent one within an interval, and by `MAX_WORKERS`: past it the
 * caller passes heartbeats on at once.
 */
export class Heartbeats {
  #pending = new Map<string, PendingHeartbeat>();
  static readonly MAX_WORKERS = 50_000;

  /** @returns false when there is no room. */
  add(heartbeat: PendingHeartbeat): boolean {
    const { hostname } = heartbeat.event;
    if (this.#pending.size >= Heartbeats.MAX_WORKERS && !this.#pending.has(hostname)) return false;
    this.#pending.set(hostname, heartbeat);
    return true;
  }

  /** Removes a worker's waiting heartbeat, which an online or offline event makes pointless. */
  drop(hostname: string): void {
    this.#pending.delete(hostname);
  }

  /** What is due, which is everything waiting. */
  take(): Iterable<PendingHeartbeat> {
    const due = this.#pending;
    this.#pending = new Map();
    return due.values();
  }
}
