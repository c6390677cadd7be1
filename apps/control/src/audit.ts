import type { EventStream } from '@meadow/bus';
import { auditLine, batchSubject, type AuditRecord, type Mask, type Requester } from '@meadow/contract';
import { randomUUID } from 'node:crypto';

/** Where commands are recorded. */
export interface Audit {
  /**
   * Resolves when the record is on disk in JetStream; the aggregator stores it from there.
   * @throws BusError when it cannot be kept: then what it is about must not be done
   */
  record(record: Omit<AuditRecord, 'id' | 'at' | 'replica'>): Promise<void>;
}

export function openAudit(stream: EventStream, replica: string): Audit {
  return {
    async record(told) {
      const id = randomUUID();
      const line = auditLine({ ...told, id, at: Date.now() / 1000, replica });
      await stream.publish(batchSubject('audit', told.cluster, 0), Buffer.from(line), {
        ...{ id: `audit-${id}`, count: 1, collector: replica },
      });
    },
  };
}

/** What is done, to what, and who wants it: the same in every record of a request. */
export interface Recorded extends Pick<AuditRecord, 'cluster' | 'action' | 'target_kind' | 'targets' | 'request_id'> {
  readonly by: Requester;
  /** Masked before it is written. */
  readonly arguments: unknown;
}

/** @param answers what each worker or task answered; secrets are not to be in it */
export type Record = (outcome: AuditRecord['outcome'], detail: string, answers?: readonly unknown[]) => Promise<void>;

/** Writes the records of one request, timed from now on. */
export function recordsOf({ by, arguments: args, ...request }: Recorded, audit: Audit, mask: Mask): Record {
  const began = performance.now();
  return async (outcome, detail, answers = []) => {
    await audit.record({
      ...{ ...request, ...by, arguments: mask.json(args), outcome, detail: mask(detail) },
      answers: JSON.stringify(answers),
      duration_seconds: outcome === 'begun' ? null : Math.round(performance.now() - began) / 1000,
    });
  };
}
