import { BusError, type Bucket, type EventStream, type Requests } from '@meadow/bus';
import {
  askResultsSubject,
  batchSubject,
  encodeTaskEvents,
  eventId,
  partitionOf,
  resultsAnswer,
  type ClusterStatus,
  type LostReason,
  type ResultsAnswer,
  type TaskEventFields,
} from '@meadow/contract';
import {
  countedBeats,
  ingestGaps,
  openTasksOf,
  taskHolders,
  workerFacts,
  workerProcesses,
  type OpenTask,
  type Store,
  type TaskHolder,
  type WorkerFacts,
} from '@meadow/store';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { idleReason, judge, judgeBusy, type Evidence, type Verdict } from './judge.ts';

export interface EndsOptions {
  readonly store: Store;
  readonly stream: Pick<EventStream, 'state' | 'publish'>;
  readonly requests: Requests;
  readonly statuses: Bucket<ClusterStatus>;
  /** Beyond the silence that heartbeats allow, nothing is concluded for so long. */
  readonly graceSeconds: number;
  readonly onLost: (cluster: string, worker: string, reason: LostReason, tasks: number) => void;
  readonly onFound: (cluster: string, tasks: number) => void;
  /** A result backend that did not answer: its tasks are left as they are. */
  readonly onUnanswered: (cluster: string, error: unknown) => void;
  readonly signal: AbortSignal;
  /** Unix seconds. */
  readonly now: () => number;
}

const SWEEP_MS = 10_000;
/** Workers hold events back for seconds, collectors heartbeats for 5 s, and the clocks of collectors and NATS differ a little. */
const SETTLE_SECONDS = 10;
/** A report of a collector that is older tells nothing. */
const STALE_SECONDS = 15;
/** Tasks that one sweep closes, and of one holder at a time: a result backend is asked for each. */
const TASKS = 2_000;
const TASKS_OF_HOLDER = 500;
const ASK_MS = 20_000;
/** Busy workers that a sweep asks for old tasks. At most one of them a grace is looked at: that reads minutes of events. */
const BUSY_HOLDERS = 5;

/**
 * Gives tasks that will never tell their end one, until `signal` is aborted: asks the result backend, and where it knows
 * none, concludes that the task is lost. Ends by an error that a new start may mend. One at a time in the whole
 * installation: run it under a lease.
 *
 * What it concludes travels as an event behind everything that was heard of the task, and the fold lets every word of
 * Celery's win, whenever that comes. So it may err, but not for good.
 */
export async function closeOpenTasks(options: EndsOptions): Promise<void> {
  const sweeper = new Sweeper(options);
  while (!options.signal.aborted) {
    await sweeper.sweep();
    await delay(SWEEP_MS, undefined, { signal: options.signal });
  }
}

class Sweeper {
  readonly #options: EndsOptions;
  /** Holders of which only rows were found that are out of date, by what was asked, with what they looked like then. */
  #nothing: ReadonlyMap<string, number> = new Map();
  /** When each worker that is never idle was looked at. */
  #lookedAt: ReadonlyMap<string, number> = new Map();
  #lastLook = 0;

  constructor(options: EndsOptions) {
    this.#options = options;
  }

  async sweep(): Promise<void> {
    const { store, stream, graceSeconds, signal, now } = this.#options;
    const { firstAt } = await stream.state();
    const asOf = Math.min(now(), firstAt ?? Infinity) - SETTLE_SECONDS;
    const from = asOf - lookback(graceSeconds);
    const heardSince = await this.#heardSince();
    const clusters = [...heardSince].flatMap(([cluster, since]) => (since < asOf - graceSeconds ? [cluster] : []));
    if (clusters.length === 0) return;
    const holders = await taskHolders(store, { clusters, signal });
    if (holders.length === 0) return;
    const [processes, facts] = await Promise.all([
      workerProcesses(store, { clusters, from, to: asOf, signal }),
      workerFacts(store, { clusters, signal }),
    ]);
    const processesOf = Map.groupBy(processes, nameOf);
    const factsOf = new Map(facts.map((each) => [nameOf(each), each]));
    let left = TASKS;
    const nothing = new Map<string, number>();
    const unanswered = new Set<string>();
    const busy: Busy[] = [];
    for (const holder of holders) {
      if (left <= 0) break;
      if (unanswered.has(holder.cluster)) continue;
      const since = Math.max(from, heardSince.get(holder.cluster) ?? Infinity);
      const known = factsOf.get(nameOf(holder)) ?? null;
      const evidence = {
        asOf,
        from: since,
        processes: processesOf.get(nameOf(holder)) ?? [],
        facts: known,
        graceSeconds,
      };
      const verdict = isWhole(evidence, from) ? judge(holder, evidence) : null;
      const own = evidence.processes.find(({ pid }) => pid === holder.pid);
      if (verdict === null && known !== null && own !== undefined) {
        busy.push({ holder, known, from: since, patientUntil: own.last_at - patience(graceSeconds) });
      }
      if (verdict === null || known === null) continue;
      // what was only received may be given up later than what was started
      const key = `${nameOf(holder)}\u001f${holder.pid}\u001f${verdict.started}`;
      const isKnown = this.#nothing.get(key) === holder.version;
      const tasks = isKnown ? [] : await this.#tasksOf(holder, verdict);
      if (tasks.length === 0) {
        if (isKnown || verdict.before > holder.updated_at) nothing.set(key, holder.version);
      } else if (await this.#close(holder, verdict, tasks, known)) left -= tasks.length;
      else unanswered.add(holder.cluster);
    }
    this.#nothing = nothing;
    await this.#sweepBusy(busy, asOf);
  }

  /** Looks for tasks that ended without a word on workers that are never idle. */
  async #sweepBusy(busy: readonly Busy[], asOf: number): Promise<void> {
    const { store, graceSeconds, signal } = this.#options;
    const keyOf = ({ holder }: Busy): string => `${nameOf(holder)}\u001f${holder.pid}`;
    const lookedAt = new Map(busy.map((one) => [keyOf(one), this.#lookedAt.get(keyOf(one)) ?? 0]));
    this.#lookedAt = lookedAt;
    if (asOf - this.#lastLook < graceSeconds) return;
    const due = busy
      .filter((one) => asOf - (lookedAt.get(keyOf(one)) ?? 0) > patience(graceSeconds))
      .sort((a, b) => (lookedAt.get(keyOf(a)) ?? 0) - (lookedAt.get(keyOf(b)) ?? 0));
    for (const one of due.slice(0, BUSY_HOLDERS)) {
      const { holder, known, from, patientUntil } = one;
      lookedAt.set(keyOf(one), asOf);
      const old = await this.#tasksOf(holder, { started: true, before: patientUntil });
      if (old.length === 0) continue;
      this.#lastLook = asOf;
      const verdict = judgeBusy(
        await countedBeats(store, { holder, from: Math.max(from, asOf - LOOK_SECONDS), to: asOf, signal }),
      );
      const tasks = verdict === null ? [] : await this.#tasksOf(holder, verdict);
      if (verdict !== null && tasks.length > 0) await this.#close(holder, verdict, tasks, known);
      return;
    }
  }

  /** Of the clusters that are heard right now, since when they have been without a break. */
  async #heardSince(): Promise<Map<string, number>> {
    const { statuses, now } = this.#options;
    const reports = (await statuses.all()).map(({ value }) => value);
    const heard = reports.filter(
      ({ state, reportedAt }) => state === 'connected' && now() - reportedAt < STALE_SECONDS,
    );
    return new Map(heard.map(({ cluster, since }) => [cluster, since]));
  }

  #tasksOf(holder: TaskHolder, { started, before }: Pick<Verdict, 'started' | 'before'>): Promise<OpenTask[]> {
    const { store, signal } = this.#options;
    const until = Math.min(before, END_OF_TIME);
    return openTasksOf(store, { holder, started, before: until, limit: TASKS_OF_HOLDER, signal });
  }

  /** @returns false when the cluster's collector cannot tell. */
  async #close(holder: TaskHolder, verdict: Verdict, tasks: readonly OpenTask[], facts: WorkerFacts): Promise<boolean> {
    const { cluster, worker } = holder;
    const { store, signal, now, onFound, onLost } = this.#options;
    const answer = await this.#ask(cluster, tasks);
    if (answer === null) return false;
    const ended = new Set(answer.ended);
    if (ended.size > 0) onFound(cluster, ended.size);
    const lost = tasks.filter(({ task_id }) => !ended.has(task_id));
    if (lost.length === 0) return true;
    const from = Math.min(...lost.map(({ updated_at }) => updated_at));
    const gaps = verdict.reason === 'idle' ? await ingestGaps(store, { cluster, from, to: now() }, { signal }) : [];
    const events = lost.map((task) => {
      const reason = verdict.reason === 'idle' ? idleReason(task.updated_at, facts, gaps) : verdict.reason;
      return lostEvent(holder, task, Math.max(verdict.at, task.updated_at), reason, now());
    });
    await this.#publish(cluster, events);
    for (const [reason, of] of Map.groupBy(events, ({ end_reason }) => end_reason as LostReason)) {
      onLost(cluster, worker, reason, of.length);
    }
    return true;
  }

  /** @returns null when the cluster's collector cannot tell: then nothing is concluded. */
  async #ask(cluster: string, tasks: readonly OpenTask[]): Promise<ResultsAnswer | null> {
    const { requests, onUnanswered } = this.#options;
    const question = { taskIds: tasks.map(({ task_id }) => task_id) };
    try {
      const answer = await requests.ask(askResultsSubject(cluster), question, ASK_MS);
      return answer === null ? null : resultsAnswer.parse(answer);
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      onUnanswered(cluster, error);
      return null;
    }
  }

  async #publish(cluster: string, events: readonly TaskEventFields[]): Promise<void> {
    const byPartition = Map.groupBy(events, ({ task_id }) => partitionOf(task_id ?? ''));
    for (const [partition, rows] of byPartition) {
      await this.#options.stream.publish(batchSubject('task', cluster, partition), encodeTaskEvents(rows), {
        id: randomUUID(),
        count: rows.length,
        collector: 'ends',
      });
    }
  }
}

/** A worker that lives and is not idle, with open tasks. */
interface Busy {
  readonly holder: TaskHolder;
  readonly known: WorkerFacts;
  /** What is known of it, by the collector's clock, begins here. */
  readonly from: number;
  /** A task of which nothing was heard since, by the worker's clock, is worth the look. */
  readonly patientUntil: number;
}

/** For so long nothing was heard of a task that is worth the look at its busy worker, which is then left alone as long. */
const patience = (graceSeconds: number): number => 5 * graceSeconds;

/** What a busy worker told is looked at for so long back: several heartbeats, and most tasks from their start to their end. */
const LOOK_SECONDS = 300;

/** Heartbeats looked at: enough for the slowest that silence is judged by. */
const lookback = (graceSeconds: number): number => 60 + 9 * graceSeconds;

/** A cluster that was not heard all the time may still be judged by what was heard since, if that is something. */
function isWhole(evidence: Evidence, from: number): boolean {
  return evidence.from <= from || evidence.processes.length > 0;
}

/** What the store's DateTime64 holds. */
const END_OF_TIME = 4_102_444_800;

const nameOf = ({ cluster, worker }: { cluster: string; worker: string }): string => `${cluster}\u001f${worker}`;

/** The same conclusion again is the same event. */
function lostEvent(
  { cluster, worker, pid }: TaskHolder,
  { task_id }: OpenTask,
  at: number,
  reason: LostReason,
  now: number,
): TaskEventFields {
  const type = 'meadow-lost';
  return {
    event_id: eventId(cluster, worker, pid, null, type, task_id, at),
    type,
    timestamp: at,
    collected_at: now,
    worker,
    ...(pid === 0 ? {} : { pid }),
    task_id,
    end_reason: reason,
  };
}
