import type { AttemptRow, TaskRow } from '@meadow/contract';
import { sampleRow } from '../live/sample-row.ts';

/** A task with everything, for tests; name what matters. */
export function sampleTask(facts: Partial<TaskRow> = {}): TaskRow {
  return {
    ...sampleRow(),
    client: '',
    exception_type: '',
    traceback: '',
    fingerprint: '',
    eta: '',
    expires: '',
    exchange: '',
    routing_key: '',
    retried_at: null,
    terminated: false,
    signum: '',
    expired: false,
    cut: [],
    clock_skewed: false,
    attempt_log: [],
    end_source: '',
    end_reason: '',
    pid: null,
    ...facts,
  };
}

export function sampleAttempt(facts: Partial<AttemptRow> = {}): AttemptRow {
  return {
    number: 1,
    retries: 0,
    worker: 'w1@host',
    received_at: null,
    started_at: null,
    ended_at: null,
    state: 'SUCCESS',
    exception: '',
    redelivered: false,
    ...facts,
  };
}
