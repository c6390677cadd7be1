import type { ControlChannel } from '@meadow/broker';
import type { Bucket, Bus } from '@meadow/bus';
import { controlCommand, type ControlCommand } from '@meadow/celery';
import { liveWorkersSubject, type LiveWorkers } from '@meadow/contract';
import { z } from 'zod';
import type { Telemetry } from './telemetry.ts';

/** A revoke that workers to come are told too. Kept in the bucket `meadow_revokes` under `<cluster>.<request id>`. */
export const openRevoke = z.object({
  command: controlCommand,
  /** Unix seconds from which on nobody is told any more. */
  until: z.number(),
});
export type OpenRevoke = z.output<typeof openRevoke>;

/** So long workers that come are told: a worker that was restarted without `--statedb` has forgotten. */
export const FOLLOWED_SECONDS = 30 * 60;
/** Of a cluster. */
const MOST_FOLLOWED = 1_000;
const ASK_WAIT_MS = 5_000;

export interface RevokesOptions {
  readonly cluster: string;
  readonly channel: ControlChannel;
  readonly bus: Pick<Bus, 'subscribe'>;
  readonly bucket: Bucket<OpenRevoke>;
  readonly telemetry: Telemetry;
  /** Ends the following here; who holds the cluster next goes on. */
  readonly signal: AbortSignal;
}

interface Followed extends OpenRevoke {
  /** The process of each worker that knows of it; null where it answered and its process is not known. */
  readonly told: Map<string, number | null>;
}

/**
 * Tells revokes again to workers that come online later, for half an hour: Celery's own way to pass them on, from worker to
 * worker at the start, knows nothing when all were restarted.
 */
export class Revokes {
  readonly #options: RevokesOptions;
  readonly #followed = new Map<string, Followed>();
  #isWatching = false;

  constructor(options: RevokesOptions) {
    this.#options = options;
  }

  /** Takes up what the replica that held the cluster before has left. */
  async resume(): Promise<void> {
    const prefix = `${this.#options.cluster}.`;
    for (const { key, value } of await this.#options.bucket.all()) {
      if (key.startsWith(prefix)) this.#add(key, value, []);
    }
  }

  /**
   * Follows a revoke that has been sent.
   * @param answered workers that know of it
   * @returns false when too many are followed already
   */
  async follow(requestId: string, command: ControlCommand, answered: readonly string[]): Promise<boolean> {
    const { cluster, bucket } = this.#options;
    this.#drop(Date.now() / 1000);
    if (this.#followed.size >= MOST_FOLLOWED) return false;
    const revoke = { command, until: Date.now() / 1000 + FOLLOWED_SECONDS };
    const key = `${cluster}.${requestId}`;
    this.#add(key, revoke, answered);
    await bucket.put(key, revoke);
    return true;
  }

  #add(key: string, revoke: OpenRevoke, answered: readonly string[]): void {
    this.#followed.set(key, { ...revoke, told: new Map(answered.map((worker) => [worker, null])) });
    if (!this.#isWatching) void this.#watch();
  }

  async #watch(): Promise<void> {
    const { cluster, bus, telemetry, signal } = this.#options;
    this.#isWatching = true;
    try {
      for await (const message of bus.subscribe(liveWorkersSubject(cluster), signal)) {
        const now = Date.now() / 1000;
        this.#drop(now);
        if (this.#followed.size === 0) break;
        for (const { worker, pid, state } of (message.json() as LiveWorkers).rows) {
          if (state !== 'offline' && pid !== null) this.#meet(worker, pid);
        }
      }
    } catch (error) {
      if (!signal.aborted) telemetry.failed(cluster, error);
    } finally {
      this.#isWatching = false;
    }
  }

  #meet(worker: string, pid: number): void {
    for (const { command, told } of this.#followed.values()) {
      const known = told.get(worker);
      told.set(worker, pid);
      if (known === undefined || (known !== null && known !== pid)) void this.#tell(command, worker, told);
    }
  }

  async #tell(command: ControlCommand, worker: string, told: Map<string, number | null>): Promise<void> {
    const { channel, cluster, telemetry } = this.#options;
    try {
      const { replies } = await channel.ask({ command, destination: [worker], waitMs: ASK_WAIT_MS });
      if (replies.length === 0) told.delete(worker);
      telemetry.command(cluster, command.method, replies.length === 0 ? 'unanswered' : 'told again');
    } catch (error) {
      // its next heartbeat is the next chance
      told.delete(worker);
      telemetry.failed(cluster, error);
    }
  }

  #drop(now: number): void {
    for (const [key, { until }] of this.#followed) if (until < now) this.#followed.delete(key);
  }
}
