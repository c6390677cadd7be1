import { isTaskEvent, isWorkerEvent } from '../event.ts';
import type { CeleryEvent, WorkerEvent } from '../event.ts';

/** A worker as its events tell it. Times are seconds since the epoch, UTC, by the worker's clock; unknown is null. */
export interface Worker {
  readonly hostname: string;
  /** What the worker last said of itself; whether to believe it now is {@link livenessOf}'s question. */
  readonly state: 'online' | 'offline';
  readonly pid: number | null;
  /** Names one life of the process, `<pid>@<startedAt>`: changes with the pid or a new `worker-online`. */
  readonly incarnation: string;
  /** Time of this life's `worker-online`, null when it was missed. */
  readonly startedAt: number | null;
  /** Latest `worker-online` or `worker-heartbeat`. */
  readonly lastHeartbeatAt: number | null;
  /** Latest sign of life, task events included. */
  readonly lastSeenAt: number;
  /** Time of the `worker-offline` that ended this life, null while online. */
  readonly offlineAt: number | null;
  /** Seconds between heartbeats. */
  readonly freq: number | null;
  readonly active: number | null;
  readonly processed: number | null;
  readonly loadavg: readonly number[] | null;
  readonly swIdent: string | null;
  readonly swVer: string | null;
  readonly swSys: string | null;
  readonly clock: number | null;
  /** Seconds to add to the worker's times to get the receiver's, 0 when arrival times are not told. */
  readonly clockOffset: number;
  /** The events behind this view; only `foldWorker` looks inside. */
  readonly evidence: WorkerEvidence;
}

/** The newest event of each role. Taking the newer of two commutes, so order and repeats cannot matter. */
interface WorkerEvidence {
  readonly online: WorkerEvent | null;
  /** Of `worker-online` and `worker-heartbeat`. */
  readonly beat: WorkerEvent | null;
  readonly offline: WorkerEvent | null;
  /** Of all three, among those that carry counts: a heartbeat on request has none, and a made-up `freq` of 5. */
  readonly full: WorkerEvent | null;
  /** Seconds; the newest task event. */
  readonly taskAt: number | null;
  /** Seconds; least of arrival minus timestamp. */
  readonly offset: number | null;
}

/** `lost`: silent for longer than its heartbeat allows, without having said goodbye. */
export type Liveness = 'online' | 'offline' | 'lost';

/** Seconds of silence always allowed, however fast the heartbeat. */
const LEAST_WINDOW = 10;

const nothing: WorkerEvidence = { online: null, beat: null, offline: null, full: null, taskAt: null, offset: null };

/**
 * Applies one event, in whatever order and however often events come. Only `worker-…` events create a worker: task events
 * bear witness of one that is known, and are no news of one that said goodbye. Returns `worker` itself when nothing changes.
 *
 * `receivedAt` (seconds) is when the event reached us. The quickest event seen gives the distance between the two clocks,
 * so that neither a wrong clock over there nor a backlog here makes a live worker look lost.
 */
export function foldWorker(worker: Worker | null, event: CeleryEvent, receivedAt?: number): Worker | null {
  const before = worker?.evidence ?? nothing;
  const after = gather(before, event);
  if (after === null || (worker === null && !isWorkerEvent(event))) return worker;
  const offset = receivedAt === undefined ? before.offset : least(before.offset, receivedAt - event.timestamp);
  if (worker !== null && after === before && offset === before.offset) return worker;
  return project(event.hostname, { ...after, offset });
}

/** Whether the worker lives at `now` (seconds): silence is tolerated for three heartbeats, at least ten seconds. */
export function livenessOf(worker: Worker, now: number): Liveness {
  if (worker.state === 'offline') return 'offline';
  const window = Math.max(3 * (worker.freq ?? 0), LEAST_WINDOW);
  return now - (worker.lastSeenAt + worker.clockOffset) <= window ? 'online' : 'lost';
}

/** Adds an event to the evidence; the same object when it is older than what is known, null when it is no evidence. */
function gather(known: WorkerEvidence, event: CeleryEvent): WorkerEvidence | null {
  if (isTaskEvent(event)) {
    // A publisher's event says nothing of a worker, even when both share a name.
    if (event.type === 'task-sent') return null;
    return known.taskAt === null || event.timestamp > known.taskAt ? { ...known, taskAt: event.timestamp } : known;
  }
  if (!isWorkerEvent(event)) return null;
  const full = (event.active ?? null) === null ? known.full : newer(known.full, event);
  const online = event.type === 'worker-online' ? newer(known.online, event) : known.online;
  const offline = event.type === 'worker-offline' ? newer(known.offline, event) : known.offline;
  const beat = event.type === 'worker-offline' ? known.beat : newer(known.beat, event);
  const same = full === known.full && online === known.online && offline === known.offline && beat === known.beat;
  return same ? known : { ...known, online, offline, beat, full };
}

const rank: Readonly<Record<string, number>> = { 'worker-online': 0, 'worker-heartbeat': 1, 'worker-offline': 2 };

function compare(a: WorkerEvent, b: WorkerEvent): number {
  return (
    a.timestamp - b.timestamp ||
    (rank[a.type] ?? 0) - (rank[b.type] ?? 0) ||
    (a.clock ?? -1) - (b.clock ?? -1) ||
    (a.pid ?? -1) - (b.pid ?? -1) ||
    (a.active ?? -1) - (b.active ?? -1) ||
    (a.processed ?? -1) - (b.processed ?? -1) ||
    (a.freq ?? -1) - (b.freq ?? -1)
  );
}

function newer(known: WorkerEvent | null, event: WorkerEvent): WorkerEvent {
  return known === null || compare(event, known) > 0 ? event : known;
}

function project(hostname: string, evidence: WorkerEvidence): Worker | null {
  const { online, beat, offline, full, taskAt, offset } = evidence;
  const latest = beat === null ? offline : offline === null || compare(beat, offline) > 0 ? beat : offline;
  if (latest === null) return null;
  const pid = latest.pid ?? null;
  const startedAt = online !== null && (online.pid ?? null) === pid ? online.timestamp : null;
  // Counts of an earlier process are not this one's.
  const counts = full !== null && (full.pid ?? null) === pid ? full : null;
  return {
    hostname,
    state: latest === offline ? 'offline' : 'online',
    pid,
    incarnation: `${pid ?? '?'}@${startedAt ?? '?'}`,
    startedAt,
    lastHeartbeatAt: beat?.timestamp ?? null,
    lastSeenAt: Math.max(latest.timestamp, taskAt ?? -Infinity),
    offlineAt: latest === offline ? latest.timestamp : null,
    freq: counts?.freq ?? latest.freq ?? null,
    active: counts?.active ?? null,
    processed: counts?.processed ?? null,
    loadavg: counts?.loadavg ?? null,
    swIdent: latest.sw_ident ?? null,
    swVer: latest.sw_ver ?? null,
    swSys: latest.sw_sys ?? null,
    clock: latest.clock ?? null,
    clockOffset: offset ?? 0,
    evidence,
  };
}

function least(a: number | null, b: number): number {
  return a === null ? b : Math.min(a, b);
}
