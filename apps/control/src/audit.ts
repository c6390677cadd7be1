import type { EventStream } from '@meadow/bus';
import { auditLine, batchSubject, type AuditRecord } from '@meadow/contract';
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
