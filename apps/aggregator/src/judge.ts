import type { LostReason } from '@meadow/contract';
import type { CountedBeat, TaskHolder, WorkerFacts, WorkerProcess } from '@meadow/store';

/** What is known when a holder of open tasks is judged. Unix seconds. */
export interface Evidence {
  /** Everything that collectors heard before this is known. */
  readonly asOf: number;
  /** `processes` tells all that was heard since. */
  readonly from: number;
  /** What the holder's worker said in that span, by process. */
  readonly processes: readonly WorkerProcess[];
  /** The last that is known of the worker; null for one that never sent a heartbeat. */
  readonly facts: WorkerFacts | null;
  /** Beyond the silence that heartbeats allow, so long nothing is concluded. */
  readonly graceSeconds: number;
}

/** Tasks of a holder that will not end any more. */
export interface Verdict {
  /** `idle`: the worker lives and runs no such task, see `idleReason`. */
  readonly reason: Exclude<LostReason, 'event-lost' | 'no-end'> | 'idle';
  /** The last moment, by the worker's clock, at which the task may have been with it. */
  readonly at: number;
  /** Whether only tasks that were started are meant, else also those that were received. */
  readonly started: boolean;
  /** Only tasks of which nothing was heard from this moment on, by the worker's clock. */
  readonly before: number;
}

/** Silence always allowed, and what collectors add by passing on one heartbeat in five seconds. */
const LEAST_WINDOW = 10;
const THINNED = 5;
/**
 * A worker that runs one task in its main loop (`--pool solo`) is silent as long as that takes. What it had received only
 * is given up after Redis's visibility timeout, when the broker hands it to another.
 */
const RECEIVED_SILENCE = 3_600;
/** Heartbeats that have to know all that a worker ran, and the time between the first of them and the last. */
const WHOLE_BEATS = 3;
const WHOLE_SECONDS = 8;

/** Pure: judges one process that has open tasks; null when it may yet end them, or when too little is known to say. */
export function judge(holder: TaskHolder, evidence: Evidence): Verdict | null {
  const { processes, facts } = evidence;
  if (facts === null) return null;
  const own = holder.pid === 0 ? newest(processes) : (processes.find((process) => process.pid === holder.pid) ?? null);
  return own === null ? judgeUnheard(holder, facts, evidence) : judgeHeard(holder, own, facts, evidence);
}

function judgeHeard(
  holder: TaskHolder,
  own: WorkerProcess,
  facts: WorkerFacts,
  { asOf, processes, graceSeconds }: Evidence,
): Verdict | null {
  const at = own.last_at;
  // by the worker's clock, which the collector's is so far ahead of
  const silentFor = asOf - (own.heard_at - own.last_at) - Math.max(own.last_at, holder.updated_at);
  const all = { at, started: false, before: Infinity };
  if (own.said_goodbye) return silentFor > graceSeconds ? { reason: 'worker-offline', ...all } : null;
  const successor = processes.some((process) => process !== own && process.heard_at > own.heard_at);
  if (successor && silentFor > graceSeconds) return { reason: 'worker-restarted', ...all };
  const window = Math.max(3 * (facts.freq ?? 0), LEAST_WINDOW) + THINNED + graceSeconds;
  if (silentFor > window) return { reason: 'worker-lost', ...all, started: silentFor < RECEIVED_SILENCE };
  if (own.idle_since === 0) return null;
  return { reason: 'idle', at: own.idle_since, started: true, before: own.idle_since };
}

/**
 * Pure: judges a process that is never idle. Where a heartbeat counted just as many tasks as were heard to end after it, those
 * are all that it ran: a task that was started before it and did not end is not among them, and ended without a word.
 * Counts that contradict what was heard say that one of both cannot be believed, and nothing is concluded.
 */
export function judgeBusy(beats: readonly CountedBeat[]): Verdict | null {
  if (beats.some(({ active, ended }) => ended > active)) return null;
  const whole = beats.filter(({ active, ended }) => ended === active).map(({ at }) => at).sort((a, b) => b - a); // prettier-ignore
  const [last = 0] = whole;
  const first = whole.find((at, index) => index >= WHOLE_BEATS - 1 && last - at >= WHOLE_SECONDS);
  return first === undefined ? null : { reason: 'idle', at: first, started: true, before: first };
}

/** Nothing was heard of this process in all the time that is looked at. */
function judgeUnheard(holder: TaskHolder, facts: WorkerFacts, { asOf, from }: Evidence): Verdict | null {
  const last = Math.max(facts.updated_at, holder.updated_at);
  // events without heartbeats: a worker that sends none, of a name that once did
  if (holder.updated_at >= from) return null;
  if (holder.pid !== 0 && facts.pid !== holder.pid) {
    return { reason: 'worker-restarted', at: holder.updated_at, started: false, before: Infinity };
  }
  if (facts.offline) return { reason: 'worker-offline', at: facts.updated_at, started: false, before: Infinity };
  if (3 * (facts.freq ?? 0) > asOf - from) return null;
  const started = asOf - last < RECEIVED_SILENCE;
  return { reason: 'worker-lost', at: facts.updated_at, started, before: Infinity };
}

/**
 * Why the task of a worker that does not run it is open still: the process is younger than the task's last event, though of the same number, as
 * in containers; or the end was lost in a gap that was measured; or it never told one, as after `Ignore`.
 */
export function idleReason(
  updatedAt: number,
  facts: Pick<WorkerFacts, 'started_at'>,
  gaps: readonly { readonly ended_at: number }[],
): LostReason {
  if ((facts.started_at ?? 0) > updatedAt) return 'worker-restarted';
  return gaps.some((gap) => gap.ended_at > updatedAt) ? 'event-lost' : 'no-end';
}

function newest(processes: readonly WorkerProcess[]): WorkerProcess | null {
  return processes.reduce<WorkerProcess | null>(
    (best, process) => (best === null || process.heard_at > best.heard_at ? process : best),
    null,
  );
}
