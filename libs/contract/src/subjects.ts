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
  /** `<service>.<replica>` → beat of a live replica, gone after seconds of silence */
  members: 'meadow_members',
  /** `<cluster>` → HeardRecord: up to when its events are known to be in the stream */
  heard: 'meadow_heard',
  /** `<writer>` → the batch being written, so that a crash repeats it with the same token */
  intents: 'meadow_intents',
  /** One record: who writes which partition of the events stream, and from where on */
  partitions: 'meadow_partitions',
  /** `<cluster>.<request id>` → a revoke that workers to come are told too, gone by itself when that is over */
  revokes: 'meadow_revokes',
  /** `<cluster>` → names of its queues, so that one that is empty, without a worker, is not forgotten */
  queues: 'meadow_queues',
  /** `<cluster>.<queue, in base64url>` → who took from a queue that is paused */
  pauses: 'meadow_pauses',
  /** `<service id>` → ServiceStatus, gone soon after the service stops */
  services: 'meadow_services',
} as const;

/** What an events-stream message holds: task events, worker events, undecodable messages, gaps, audit records, samples of queues. */
export type BatchKind = 'task' | 'worker' | 'poison' | 'gap' | 'audit' | 'queue';

/** `meadow.events.<kind>.<cluster>.<partition>`: what goes to the store. Only tasks have several partitions. */
export function batchSubject(kind: BatchKind, cluster: string, partition: number): string {
  return `meadow.events.${kind}.${cluster}.${partition}`;
}

/** @returns the parts of a subject made by `batchSubject`, of this release or a later one that has more kinds, or null for any other subject. */
export function parseBatchSubject(
  subject: string,
): { kind: BatchKind | 'unknown'; cluster: string; partition: number } | null {
  const match = /^meadow\.events\.(?:(task|worker|poison|gap|audit|queue)|[a-z]+)\.([a-z0-9_-]+)\.(\d+)$/.exec(subject);
  if (match === null) return null;
  const kind = (match[1] as BatchKind | undefined) ?? 'unknown';
  return { kind, cluster: match[2] ?? '', partition: Number(match[3]) };
}

/** Every subject of the events stream. */
export const EVENTS_SUBJECTS = 'meadow.events.>';

/** Not stored: rows that changed, for whoever looks on right now. */
export const liveTasksSubject = (cluster: string): string => `meadow.live.tasks.${cluster}`;
export const liveWorkersSubject = (cluster: string): string => `meadow.live.workers.${cluster}`;

/** Asked of the collector that holds a cluster, a `ResultsQuestion`; answered with a `ResultsAnswer`. */
export const askResultsSubject = (cluster: string): string => `meadow.ask.results.${cluster}`;

/** Asked of the collector that holds a cluster; answered with `Finding[]` about its broker. */
export const askDoctorSubject = (cluster: string): string => `meadow.ask.doctor.${cluster}`;

/** Headers of a batch message. */
export const BATCH_HEADERS = {
  /** format version, now '2' */
  version: 'Meadow-Version',
  /** events in the message */
  count: 'Meadow-Count',
  collector: 'Meadow-Collector',
  /** how the body is packed: absent or 'zstd' */
  packing: 'Meadow-Packing',
} as const;
export const BATCH_FORMAT_VERSION = '2';
