import type { Task } from '@meadow/celery';
import type { PipelineEvent, RetentionPolicy, TaskListRow } from '@meadow/contract';
import type { StoredBatch } from '@meadow/bus';
import type { StoredTaskEvent, StoredTaskKey, TaskWriteRow } from '@meadow/store';
import type { RecentIds } from './recent-ids.ts';
import { asTaskEvent, enrichedLine, lineFacts, type LineFacts, listRow, taskRow } from './rows.ts';
import { TaskMemory, type Known } from './task-memory.ts';
import type { WorkerMemory } from './worker-memory.ts';

/** What the store may be asked while a batch is made. */
export interface Past {
  events(cluster: string, taskIds: readonly string[]): Promise<readonly StoredTaskEvent[]>;
  keys(cluster: string, taskIds: readonly string[]): Promise<readonly StoredTaskKey[]>;
}

/** What outlives a batch. */
export interface Memory {
  /** By cluster. */
  readonly tasks: Map<string, TaskMemory>;
  readonly workers: WorkerMemory;
  readonly recent: RecentIds;
}

/** Everything that one batch writes. Lines end in a newline. */
export interface Writes {
  readonly taskEvents: readonly string[];
  readonly tasks: readonly TaskWriteRow[];
  readonly workerSamples: readonly string[];
  readonly poison: readonly string[];
  readonly gaps: readonly string[];
}

interface Pending {
  readonly cluster: string;
  readonly line: string;
  readonly event: LineFacts;
}

/** A batch is written when it holds this much. */
const BATCH_EVENTS = 40_000;
const BATCH_BYTES = 20_000_000;

/**
 * The messages of one write, from `fromSeq` to `toSeq`: repeats dropped, events folded into tasks, lines made ready.
 * A batch that is written again after a crash gets the ids that were dropped the first time instead of the window, so
 * that it holds the same events.
 */
export class Batch {
  readonly number: number;
  readonly #memory: Memory;
  readonly #replayDropped: ReadonlySet<string> | null;
  #fromSeq = 0;
  #toSeq = 0;
  #bytes = 0;
  readonly #pending: Pending[] = [];
  /** Events of tasks whose past has to be looked up first, by cluster and id. */
  readonly #unresolved = new Map<string, Map<string, PipelineEvent[]>>();
  readonly #touched = new Map<string, Set<Known>>();
  #live = new Map<string, Set<Known>>();
  readonly #workerSamples: string[] = [];
  readonly #poison: string[] = [];
  readonly #gaps: string[] = [];
  /** Ids of events that were heard before. */
  readonly dropped: string[] = [];
  /** Newest collector time in the batch, Unix seconds: what the lag is measured against. */
  newestCollectedAt = 0;

  constructor(number: number, memory: Memory, replayDropped: ReadonlySet<string> | null = null) {
    this.number = number;
    this.#memory = memory;
    this.#replayDropped = replayDropped;
  }

  get fromSeq(): number {
    return this.#fromSeq;
  }

  get toSeq(): number {
    return this.#toSeq;
  }

  get empty(): boolean {
    return this.#toSeq === 0;
  }

  get full(): boolean {
    return this.#pending.length >= BATCH_EVENTS || this.#bytes >= BATCH_BYTES;
  }

  get events(): number {
    return this.#pending.length + this.#workerSamples.length;
  }

  /** Takes a message in. Messages come in the order of the stream. */
  add(message: StoredBatch): void {
    if (this.#fromSeq === 0) this.#fromSeq = message.seq;
    this.#toSeq = message.seq;
    this.#bytes += message.data.length;
    const { buffer, byteOffset, byteLength } = message.data;
    const text = Buffer.from(buffer, byteOffset, byteLength).toString();
    for (let start = 0; start < text.length;) {
      let end = text.indexOf('\n', start);
      if (end === -1) end = text.length;
      if (end > start) this.#addLine(message, text.slice(start, end));
      start = end + 1;
    }
  }

  #addLine(message: StoredBatch, line: string): void {
    if (message.kind === 'poison') return void this.#poison.push(`${line}\n`);
    if (message.kind === 'gap') return void this.#gaps.push(`${line}\n`);
    let event: PipelineEvent;
    try {
      event = JSON.parse(line) as PipelineEvent;
    } catch (error) {
      this.#bury(message, line, error);
      return;
    }
    if (this.#isRepeat(event.event_id)) return;
    if (event.collected_at > this.newestCollectedAt) this.newestCollectedAt = event.collected_at;
    if (message.kind === 'worker') {
      this.#workerSamples.push(`${line}\n`);
      this.#memory.workers.apply(message.cluster, event);
      return;
    }
    this.#pending.push({ cluster: message.cluster, line, event: lineFacts(event) });
    if (event.task_id !== undefined) this.#fold(message.cluster, event.task_id, event);
  }

  #isRepeat(id: string): boolean {
    const isNew = this.#memory.recent.add(id);
    const repeat = this.#replayDropped === null ? !isNew : this.#replayDropped.has(id);
    if (repeat) this.dropped.push(id);
    return repeat;
  }

  #fold(cluster: string, id: string, event: PipelineEvent): void {
    const tasks = this.#tasksOf(cluster);
    const known = tasks.get(id);
    if (known !== undefined) {
      tasks.apply(known, asTaskEvent(event), this.number);
      this.#touch(cluster, known);
      return;
    }
    const waiting = this.#unresolved.get(cluster)?.get(id);
    if (waiting !== undefined) {
      waiting.push(event);
    } else if (this.#replayDropped !== null || mayHaveAPast(event) || tasks.mayBeStored(id)) {
      let ids = this.#unresolved.get(cluster);
      if (ids === undefined) this.#unresolved.set(cluster, (ids = new Map()));
      ids.set(id, [event]);
    } else {
      const fresh = tasks.hold(id, [], event.collected_at, this.number);
      tasks.apply(fresh, asTaskEvent(event), this.number);
      this.#touch(cluster, fresh);
    }
  }

  /** Looks up the past of tasks that memory does not hold, and folds what waited for it. Once, before `writes`. */
  async resolve(past: Past): Promise<void> {
    for (const [cluster, ids] of this.#unresolved) {
      const tasks = this.#tasksOf(cluster);
      const taskIds = [...ids.keys()];
      const [events, keys] = await Promise.all([past.events(cluster, taskIds), past.keys(cluster, taskIds)]);
      const stored = Map.groupBy(events, (event) => event.task_id);
      const firstSeen = new Map(keys.map((key) => [key.task_id, key.first_seen_at]));
      for (const [id, waiting] of ids) {
        const before = stored.get(id) ?? [];
        const firstSeenAt = firstSeen.get(id) ?? waiting[0]?.collected_at ?? 0;
        const known = tasks.hold(id, before.map(asTaskEvent), firstSeenAt, this.number);
        for (const event of waiting) tasks.apply(known, asTaskEvent(event), this.number);
        this.#touch(cluster, known);
      }
    }
    this.#unresolved.clear();
  }

  /** Everything to be written, as the tasks stand now. */
  writes(retentionOf: (cluster: string) => RetentionPolicy): Writes {
    const taskEvents = this.#pending.map(({ cluster, line, event }) => {
      const task = event.taskId === null ? null : this.#taskOf(cluster, event.taskId);
      return enrichedLine(line, event, task, retentionOf(cluster).events);
    });
    const tasks: TaskWriteRow[] = [];
    for (const [cluster, touched] of this.#touched) {
      const retention = retentionOf(cluster);
      for (const { task, firstSeenAt } of touched)
        tasks.push(taskRow(cluster, task, firstSeenAt, this.#toSeq, retention));
    }
    return { taskEvents, tasks, workerSamples: this.#workerSamples, poison: this.#poison, gaps: this.#gaps };
  }

  /** The rows that changed since this was last called, newest last, at most `limit` of each cluster. */
  takeLive(limit: number): { cluster: string; rows: TaskListRow[]; omitted: number }[] {
    const live = this.#live;
    this.#live = new Map();
    return [...live].map(([cluster, changed]) => {
      const newest = [...changed].slice(-limit);
      return {
        cluster,
        rows: newest.map(({ task, firstSeenAt }) => listRow(cluster, task, firstSeenAt)),
        omitted: changed.size - newest.length,
      };
    });
  }

  #touch(cluster: string, known: Known): void {
    addTo(this.#touched, cluster, known);
    addTo(this.#live, cluster, known);
  }

  #tasksOf(cluster: string): TaskMemory {
    let tasks = this.#memory.tasks.get(cluster);
    if (tasks === undefined) this.#memory.tasks.set(cluster, (tasks = new TaskMemory()));
    return tasks;
  }

  #taskOf(cluster: string, id: string): Task | null {
    return this.#memory.tasks.get(cluster)?.get(id)?.task ?? null;
  }

  #bury(message: StoredBatch, line: string, error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error);
    this.#poison.push(
      `${JSON.stringify({
        cluster: message.cluster,
        collected_at: Date.now() / 1000,
        reason: 'BATCH_LINE_INVALID',
        detail: detail.slice(0, 500),
        content_type: 'application/x-ndjson',
        routing_key: '',
        size: line.length,
        body: line.slice(0, 65_536),
      })}\n`,
    );
  }
}

/** An event that comes this late may be of a task that ended and was given up long ago. Seconds. */
const LATE_SECONDS = 30;

/** Whether an event of a task that memory does not hold says that there may have been others before it. */
function mayHaveAPast(event: PipelineEvent): boolean {
  const begins = event.type === 'task-sent' || event.type === 'task-received';
  return !begins || (event.retries ?? 0) > 0 || event.collected_at - event.timestamp > LATE_SECONDS;
}

function addTo(sets: Map<string, Set<Known>>, cluster: string, known: Known): void {
  const set = sets.get(cluster);
  if (set === undefined) sets.set(cluster, new Set([known]));
  else set.add(known);
}
