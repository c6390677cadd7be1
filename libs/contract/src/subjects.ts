/** The JetStream stream that holds every event between collector and aggregator. */
export const EVENTS_STREAM = 'MEADOW_EVENTS';

/** Key-value buckets. */
export const BUCKETS = {
  /** `<cluster>` → ClusterDefinition */
  clusters: 'meadow_clusters',
  /** `<cluster>` → ClusterStatus, expires after a minute without a report */
  status: 'meadow_status',
  /** `<lease>` → holder */
  leases: 'meadow_leases',
  /** `<partition or kind>` → the batch being written, so that a crash repeats it with the same token */
  intents: 'meadow_intents',
} as const;

/** What an events-stream message holds: task events, worker events, undecodable messages, gaps. */
export type BatchKind = 'task' | 'worker' | 'poison' | 'gap';

/** `meadow.events.<kind>.<cluster>.<partition>`: what is published by collectors. Only tasks have several partitions. */
export function batchSubject(kind: BatchKind, cluster: string, partition: number): string {
  return `meadow.events.${kind}.${cluster}.${partition}`;
}

/** @returns the parts of a subject made by `batchSubject`, or null for any other subject. */
export function parseBatchSubject(subject: string): { kind: BatchKind; cluster: string; partition: number } | null {
  const match = /^meadow\.events\.(task|worker|poison|gap)\.([a-z0-9_-]+)\.(\d+)$/.exec(subject);
  if (match === null) return null;
  return { kind: match[1] as BatchKind, cluster: match[2] ?? '', partition: Number(match[3]) };
}

/** Every subject of the events stream. */
export const EVENTS_SUBJECTS = 'meadow.events.>';

/** Not stored: rows that changed, for whoever looks on right now. */
export const liveTasksSubject = (cluster: string): string => `meadow.live.tasks.${cluster}`;
export const liveWorkersSubject = (cluster: string): string => `meadow.live.workers.${cluster}`;

/** Headers of a batch message. */
export const BATCH_HEADERS = {
  /** format version, now '1' */
  version: 'Meadow-Version',
  /** events in the message */
  count: 'Meadow-Count',
  collector: 'Meadow-Collector',
} as const;
export const BATCH_FORMAT_VERSION = '1';
