import type { ProcessSpec } from '@meadow/standalone';
import { join } from 'node:path';
import { quiet } from './quiet.ts';

export interface DemoCluster {
  readonly name: 'shop' | 'analytics' | 'logistics';
  readonly broker: string;
  readonly results: string;
  /** The processes of its broker and its result backend. */
  readonly servers: readonly string[];
}

/** Two workers a cluster, each with its queues and number of pool processes. */
const WORKERS = {
  shop: [
    { name: 'web-1', queues: 'default,priority', concurrency: 2 },
    { name: 'mail-1', queues: 'emails,default', concurrency: 2 },
  ],
  analytics: [
    { name: 'reports-1', queues: 'reports,default', concurrency: 2 },
    { name: 'gpu-1', queues: 'training,default', concurrency: 2 },
  ],
  logistics: [
    { name: 'parcels-1', queues: 'shipping,default', concurrency: 1 },
    { name: 'parcels-2', queues: 'shipping,default', concurrency: 1 },
  ],
} as const;

/** Debian's Celery belongs to Debian's Python, whatever else comes first on PATH. */
const PYTHON = process.env['MEADOW_DEMO_PYTHON'] ?? '/usr/bin/python3';

/** A cluster's workers, the first with a beat inside, and its traffic, which starts once it is watched. */
export function celeryProcesses(cluster: DemoCluster, data: string): ProcessSpec[] {
  const env = {
    PYTHONPATH: import.meta.dirname,
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONUNBUFFERED: '1',
    DEMO_CLUSTER: cluster.name,
    DEMO_BROKER: cluster.broker,
    DEMO_RESULTS: cluster.results,
  };
  const common = { command: PYTHON, env, cwd: data, readLine: quiet, optional: true } as const;
  const schedule = join(data, `beat-${cluster.name}`);
  const workers = WORKERS[cluster.name].map(({ name, queues, concurrency }, index): ProcessSpec => ({
    ...common,
    name,
    args: [
      ...['-m', 'celery', '--quiet', '-A', 'shop.app', 'worker', '-E', '--loglevel', 'WARNING'],
      ...['-n', `${name}@${cluster.name}`, '-Q', queues, '-c', String(concurrency)],
      ...['--without-gossip', '--without-mingle'],
      ...(index === 0 ? ['-B', '-s', schedule] : []),
    ],
    after: cluster.servers,
    // Celery's cold shutdown: a demo's tasks are nobody's loss, so what still runs is not waited for
    stopSignal: 'SIGQUIT',
    stopDeadlineMs: 2_500,
  }));
  const traffic: ProcessSpec = {
    ...common,
    name: `traffic-${cluster.name}`,
    args: ['-m', 'shop.traffic'],
    after: [...cluster.servers, 'collector'],
  };
  return [...workers, traffic];
}
