import { TaskEventFormatError, TaskEventReader, type PipelineEvent } from '@meadow/contract';
import type { PoisonRecord, RetentionPolicy, TaskListRow } from '@meadow/contract';
import type { StoredBatch } from '@meadow/bus';
import { appendTask, RowBinary, type Rows, type StoredTaskEvent, type StoredTaskKey } from '@meadow/store';
import { EventList, MessageMemory } from './event-list.ts';
import type { RecentIds } from './recent-ids.ts';
import { asTaskEvent, listRow, taskRow } from './rows.ts';
import { TaskMemory, type Known } from './task-memory.ts';
import type { WorkerMemory } from './worker-memory.ts';

/** What the store may be asked while a batch is made. */
export interface Past {
  keys(cluster: string, taskIds: readonly string[]): Promise<readonly StoredTaskKey[]>;
  /** Of the tasks that it knows. */
  events(cluster: string, keys: readonly StoredTaskKey[]): Promise<readonly StoredTaskEvent[]>;
}

/** What outlives a batch. */
export interface Memory {
  /** By cluster. */
  readonly tasks: Map<string, TaskMemory>;
  readonly workers: WorkerMemory;
  readonly recent: RecentIds;
  readonly output: Output;
}

/** Memory that serves batch after batch. Rows are made of one batch at a time: the next one's are written over them. */
export class Output {
  readonly reader = new TaskEventReader();
  readonly messages = new MessageMemory();
  readonly taskEvents = new RowBinary();
  readonly tasks = new RowBinary();
  /** The batch that was written last: what ended in it lingers. */
  settled: Batch | null = null;
}

/** Rows, and the cluster of each. */
export interface ClusterRows extends Rows {
  readonly contentType: string;
  clusterOf(index: number): string;
}

/** Everything that one batch writes. Lines end in a newline. Rows hold until the next batch's are asked for. */
export interface Writes {
  readonly taskEvents: ClusterRows;
  readonly tasks: ClusterRows;
  readonly workerSamples: readonly string[];
  readonly poison: readonly string[];
  readonly gaps: readonly string[];
}

/** Events of a task whose past has to be looked up first. */
interface Waiting {
  readonly collectedAt: number;
  /** Their places in the list of events. */
  readonly places: number[];
}

const ROW_BINARY = 'application/octet-stream';

/** A batch is written when it holds this much. Three times as much is in memory: one is gathered, one written, of one the tasks linger. */
const BATCH_EVENTS = 50_000;
const BATCH_BYTES = 20_000_000;

/** Whether an event was dropped as a repeat when the batch was first made: by its place among the batch's events. */
export type WasDropped = (place: number) => boolean;

/**
 * The messages of one write: repeats dropped, events folded into tasks, rows made ready.
 * A batch that is written again after a crash is told what was dropped the first time instead of asking the window, so
 * that it holds the same events.
 */
export class Batch {
  readonly number: number;
  readonly #memory: Memory;
  readonly #wasDropped: WasDropped | null;
  /** Of a batch that is written again: its events, which the store may hold already, in other words. */
  readonly #again = new Set<string>();
  #empty = true;
  #bytes = 0;
  readonly #events: EventList;
  /** By cluster and id. */
  readonly #unresolved = new Map<string, Map<string, Waiting>>();
  readonly #touched = new Map<string, Known[]>();
  #live = new Map<string, Known[]>();
  /** No two batches of a memory share one. */
  #liveRound: number;
  readonly #workerSamples: string[] = [];
  readonly #poison: string[] = [];
  readonly #gaps: string[] = [];
  #heard = 0;
  /** Which of the batch's events were heard before, counted from 0. By place and not by id: one id may come twice in a batch. */
  readonly dropped: number[] = [];
  /** Newest collector time in the batch, Unix seconds: what the lag is measured against. */
  newestCollectedAt = 0;

  constructor(number: number, memory: Memory, wasDropped: WasDropped | null = null) {
    this.number = number;
    this.#liveRound = number * 1_000_000;
    this.#memory = memory;
    this.#wasDropped = wasDropped;
    this.#events = new EventList(memory.output.messages);
  }

  get empty(): boolean {
    return this.#empty;
  }

  get full(): boolean {
    // places of dropped events travel in one message to NATS
    const heard = Math.max(this.#events.length, this.dropped.length);
    return heard >= BATCH_EVENTS || this.#bytes >= BATCH_BYTES;
  }

  get events(): number {
    return this.#events.length + this.#workerSamples.length;
  }

  /** Takes a message in. Messages come in the order of the stream. */
  add(message: StoredBatch): void {
    this.#empty = false;
    this.#bytes += message.data.length;
    if (message.kind === 'task') this.#addRows(message);
    else for (const line of linesOf(message.data)) this.#addLine(message, line);
  }

  #addRows({ cluster, data }: StoredBatch): void {
    const { reader } = this.#memory.output;
    const tasks = this.#tasksOf(cluster);
    reader.begin(this.#events.beginMessage(cluster, data));
    while (this.#nextRow(reader, cluster)) {
      if (this.#isRepeat(reader.data, reader.headBegin)) continue;
      const { collectedAt } = reader;
      if (collectedAt > this.newestCollectedAt) this.newestCollectedAt = collectedAt;
      if (reader.has('task_id')) this.#fold(cluster, tasks, reader);
      else this.#events.add(reader.frame, null);
    }
  }

  /** Goes to the next row that is whole; those that are not are kept aside. */
  #nextRow(reader: TaskEventReader, cluster: string): boolean {
    for (;;) {
      try {
        return reader.next();
      } catch (error) {
        if (!(error instanceof TaskEventFormatError)) throw error;
        const bytes = reader.data.subarray(reader.frameBegin, reader.frameEnd);
        this.#bury(cluster, error, ROW_BINARY, bytes.length, bytes.toString('base64', 0, 48 * 1024));
      }
    }
  }

  #addLine(message: StoredBatch, line: string): void {
    if (message.kind === 'poison') return void this.#poison.push(`${line}\n`);
    if (message.kind === 'gap') return void this.#gaps.push(`${line}\n`);
    let event: PipelineEvent;
    try {
      event = JSON.parse(line) as PipelineEvent;
    } catch (error) {
      this.#bury(message.cluster, error, 'application/x-ndjson', line.length, line.slice(0, 65_536));
      return;
    }
    if (this.#isRepeat(Buffer.from(event.event_id), 0)) return;
    if (event.collected_at > this.newestCollectedAt) this.newestCollectedAt = event.collected_at;
    this.#workerSamples.push(`${line}\n`);
    this.#memory.workers.apply(message.cluster, event);
  }

  #isRepeat(data: Uint8Array, at: number): boolean {
    const place = this.#heard++;
    const isNew = this.#memory.recent.addBytes(data, at);
    const repeat = this.#wasDropped === null ? !isNew : this.#wasDropped(place);
    if (repeat) this.dropped.push(place);
    else if (this.#wasDropped !== null) this.#again.add(latin1(data, at));
    return repeat;
  }

  #fold(cluster: string, tasks: TaskMemory, event: TaskEventReader): void {
    const id = event.taskId;
    const place = this.#events.add(event.frame, null);
    let known = tasks.get(id);
    if (known === undefined) {
      const waiting = this.#unresolved.get(cluster)?.get(id);
      if (waiting !== undefined) return void waiting.places.push(place);
      if (this.#mayHaveAPast(tasks, id, event)) return this.#wait(cluster, id, event.collectedAt, place);
      known = tasks.hold(id, [], event.collectedAt, this.number);
    }
    tasks.apply(known, this.#events, place, this.number);
    this.#touch(cluster, known);
  }

  #wait(cluster: string, id: string, collectedAt: number, place: number): void {
    let ids = this.#unresolved.get(cluster);
    if (ids === undefined) this.#unresolved.set(cluster, (ids = new Map()));
    ids.set(id, { collectedAt, places: [place] });
  }

  /** Whether an event of a task that memory does not hold may have had others before it. */
  #mayHaveAPast(tasks: TaskMemory, id: string, event: TaskEventReader): boolean {
    const begins = event.type === 'task-sent' || event.type === 'task-received';
    const late = event.collectedAt - event.timestamp > LATE_SECONDS;
    return this.#wasDropped !== null || !begins || (event.retries ?? 0) > 0 || late || tasks.mayBeStored(id);
  }

  /** Looks up the past of tasks that memory does not hold, and folds what waited for it. Once, before `writes`. */
  async resolve(past: Past): Promise<void> {
    for (const [cluster, ids] of this.#unresolved) {
      const tasks = this.#tasksOf(cluster);
      const keys = await past.keys(cluster, [...ids.keys()]);
      const events = await past.events(cluster, keys);
      const others = events.filter(({ event_id }) => !this.#again.has(event_id));
      const stored = Map.groupBy(others, (event) => event.task_id);
      const firstSeen = new Map(keys.map((key) => [key.task_id, key.first_seen_at]));
      for (const [id, { collectedAt, places }] of ids) {
        const before = stored.get(id) ?? [];
        const known = tasks.hold(id, before.map(asTaskEvent), firstSeen.get(id) ?? collectedAt, this.number);
        for (const place of places) tasks.apply(known, this.#events, place, this.number);
        this.#touch(cluster, known);
      }
    }
    this.#unresolved.clear();
  }

  /** Everything to be written, as the tasks stand now. Once. @param version above that of every batch before */
  writes(retentionOf: (cluster: string) => RetentionPolicy, version: number): Writes {
    const { output } = this.#memory;
    output.taskEvents.reset();
    output.tasks.reset();
    const ends: { readonly cluster: string; readonly end: number }[] = [];
    for (const [cluster, touched] of this.#touched) {
      const retention = retentionOf(cluster);
      for (const known of touched) appendTask(output.tasks, taskRow(cluster, known, version, retention));
      ends.push({ cluster, end: output.tasks.count });
    }
    // after the tasks, which tell what to join on
    this.#events.appendTo(output.taskEvents, retentionOf);
    return {
      taskEvents: withClusters(output.taskEvents, (place) => this.#events.clusterOf(place)),
      tasks: withClusters(output.tasks, (index) => ends.find(({ end }) => index < end)?.cluster ?? ''),
      workerSamples: this.#workerSamples,
      poison: this.#poison,
      gaps: this.#gaps,
    };
  }

  /**
   * To be called when everything is in the store. Gives up what ended in the batch before, so that a task is held for a
   * second after its end: its last events may come in another order. That batch's memory is free then.
   */
  settle(): void {
    const { output, tasks } = this.#memory;
    for (const held of tasks.values()) held.shrink(this.number + 1);
    const { settled } = output;
    if (settled !== null) settled.#release();
    output.settled = this;
  }

  #release(): void {
    for (const [cluster, touched] of this.#touched) {
      const tasks = this.#tasksOf(cluster);
      for (const known of touched) tasks.release(known, this.#events);
    }
    this.#events.release();
  }

  /** The rows that changed since this was last called, newest last, at most `limit` of each cluster. */
  takeLive(limit: number): { cluster: string; rows: TaskListRow[]; omitted: number }[] {
    const live = this.#live;
    this.#live = new Map();
    this.#liveRound++;
    return [...live].map(([cluster, changed]) => {
      const newest = changed.slice(-limit);
      return {
        cluster,
        rows: newest.map((known) => listRow(cluster, known)),
        omitted: changed.length - newest.length,
      };
    });
  }

  #touch(cluster: string, known: Known): void {
    if (known.listedBy !== this.number) {
      known.listedBy = this.number;
      append(this.#touched, cluster, known);
    }
    if (known.shownIn !== this.#liveRound) {
      known.shownIn = this.#liveRound;
      append(this.#live, cluster, known);
    }
  }

  #tasksOf(cluster: string): TaskMemory {
    let tasks = this.#memory.tasks.get(cluster);
    if (tasks === undefined) this.#memory.tasks.set(cluster, (tasks = new TaskMemory()));
    return tasks;
  }

  #bury(cluster: string, error: unknown, contentType: string, size: number, body: string): void {
    const detail = error instanceof Error ? error.message : String(error);
    const record: PoisonRecord = {
      cluster,
      collected_at: Date.now() / 1000,
      reason: error instanceof TaskEventFormatError ? error.code : 'BATCH_LINE_INVALID',
      detail: detail.slice(0, 500),
      content_type: contentType,
      routing_key: '',
      size,
      body,
    };
    this.#poison.push(`${JSON.stringify(record)}\n`);
  }
}

/** An event that comes this late may be of a task that ended and was given up long ago. Seconds. */
const LATE_SECONDS = 30;

function linesOf({ buffer, byteOffset, byteLength }: Uint8Array): string[] {
  const text = Buffer.from(buffer, byteOffset, byteLength).toString();
  return text.split('\n').filter((line) => line !== '');
}

function latin1(data: Uint8Array, at: number): string {
  return String.fromCharCode(...data.subarray(at, at + 16));
}

function withClusters(rows: Rows, clusterOf: (index: number) => string): ClusterRows {
  return { count: rows.count, contentType: ROW_BINARY, slice: (from, to) => rows.slice(from, to), clusterOf };
}

function append(lists: Map<string, Known[]>, cluster: string, known: Known): void {
  const list = lists.get(cluster);
  if (list === undefined) lists.set(cluster, [known]);
  else list.push(known);
}
