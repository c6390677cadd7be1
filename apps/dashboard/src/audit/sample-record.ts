import type { AuditRow } from '@meadow/contract';

/** An audit record for tests. */
export function sampleRecord(facts: Partial<AuditRow> = {}): AuditRow {
  return {
    ...{
      id: 'i1',
      at: 1000,
      cluster: 'prod',
      actor: 'ann',
      signed_in: 'basic',
      address: '10.0.0.7',
      user_agent: 'curl',
    },
    ...{ action: 'pool_grow', target_kind: 'worker', targets: ['celery@w1'], arguments: '{"n":1}', outcome: 'done' },
    ...{ detail: '1 of 1 worker did it', answers: '[]', duration_seconds: 0.5, request_id: 'r1', replica: 'control-1' },
    ...facts,
  };
}
