import type { WorkerLine } from '@meadow/api';

/** A worker for tests. */
export function sampleWorker(worker: string, facts: Partial<WorkerLine> = {}): WorkerLine {
  return {
    cluster: 'prod',
    worker,
    pool: 'celery@web',
    state: 'online',
    pid: 1,
    started_at: null,
    last_heartbeat_at: 100,
    last_heard_at: 100,
    clock_offset_seconds: 0,
    active: 0,
    processed: 0,
    loadavg: [],
    freq: 2,
    sw_ident: '',
    sw_ver: '',
    sw_sys: '',
    succeeded_last_hour: 5,
    failed_last_hour: 1,
    ...facts,
  };
}
