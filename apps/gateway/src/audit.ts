import { ApiError } from '@meadow/api';
import type { EventStream } from '@meadow/bus';
import { auditLine, batchSubject, type AuditRecord, type Requester } from '@meadow/contract';
import { randomUUID } from 'node:crypto';

export interface AuditOptions {
  /** null while NATS is away. */
  readonly events: () => EventStream | null;
  readonly replica: string;
  /** Unix seconds. */
  readonly now: () => number;
}

/** What is changed, of what, and who wants it. */
export interface Change extends Pick<AuditRecord, 'cluster' | 'action' | 'target_kind' | 'targets'> {
  readonly by: Requester;
  /** Holds no secret. */
  readonly arguments: unknown;
}

/** Does what changes something that the gateway itself keeps, and records it as control records its commands. */
export class GatewayAudit {
  readonly #options: AuditOptions;

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /**
   * Records that it begins, does it, and records what came of it.
   * @throws ApiError BUS_UNAVAILABLE when that it begins cannot be recorded: nothing was done then; and what the work throws
   */
  async recorded<T>(changes: readonly Change[], work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const requestId = randomUUID();
    const record = (outcome: AuditRecord['outcome'], detail: string): Promise<unknown> =>
      Promise.all(changes.map((change) => this.#record(change, requestId, outcome, detail, began)));
    await record('begun', '').catch((cause: unknown) => {
      throw new ApiError('BUS_UNAVAILABLE', 'NATS does not take the record of this change: nothing was changed', cause);
    });
    try {
      const done = await work();
      await record('done', '');
      return done;
    } catch (error) {
      // the record of its begin stays; that of its end can only be tried
      await record('failed', error instanceof Error ? error.message : String(error)).catch(() => undefined);
      throw error;
    }
  }

  async #record(
    { by, arguments: args, ...about }: Change,
    requestId: string,
    outcome: AuditRecord['outcome'],
    detail: string,
    began: number,
  ): Promise<void> {
    const { events, replica, now } = this.#options;
    const stream = events();
    if (stream === null) throw new ApiError('BUS_UNAVAILABLE', 'not connected to NATS');
    const id = randomUUID();
    const line = auditLine({
      ...{ ...about, ...by, id, at: now(), outcome, detail, replica, request_id: requestId, answers: '[]' },
      arguments: JSON.stringify(args),
      duration_seconds: outcome === 'begun' ? null : Math.round(performance.now() - began) / 1000,
    });
    await stream.publish(batchSubject('audit', about.cluster, 0), Buffer.from(line), {
      ...{ id: `audit-${id}`, count: 1, collector: replica },
    });
  }
}
