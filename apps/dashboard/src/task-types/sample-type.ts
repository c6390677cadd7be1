import type { LearntSchedule, TaskTypeLine } from '@meadow/api';

const NOTHING = { count: 0, mean: null, max: null, p50: null, p95: null, p99: null };

export function sampleType(name: string, more: Partial<TaskTypeLine> = {}): TaskTypeLine {
  return {
    ...{ cluster: 'prod', name, received: 0, succeeded: 0, failed: 0, retried: 0, ended: 0, failedShare: null },
    ...{ runtime: NOTHING, wait: NOTHING, queues: [], lastAt: 1_700_000_000, trend: [] },
    ...more,
  };
}

export function sampleSchedule(more: Partial<LearntSchedule> = {}): LearntSchedule {
  return {
    ...{ everySeconds: null, cron: '0 3 * * *', zone: 'UTC', confidence: 0.9, jitterSeconds: 1, runs: 30 },
    ...{ lastAt: 1_700_000_000, nextAt: 1_700_086_400, missed: [], missedCount: 0, unheard: 0, client: '', since: 0 },
    ...more,
  };
}
