import { poisonLine, TaskEventFormatError, TaskEventReader, TEXT_COLUMN, type PipelineEvent } from '@meadow/contract';
import type { BatchKind, RetentionPolicy, TaskListRow } from '@meadow/contract';
import type { StoredBatch } from '@meadow/bus';
import { appendTask, RowBinary, type Rows, type StoredTaskEvent, type StoredTaskKey } from '@meadow/store';
import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { EventList, MessageMemory, NONE } from './event-list.ts';
import type { RecentIds } from './recent-ids.ts';
import type { RecentRecords } from './recent-records.ts';
import { isFinal, listRow, taskRow } from './rows.ts';
import type { TaskMemory } from './task-memory.ts';
import type { WorkerMemory } from './worker-memory.ts';

/** What the store may be asked while a batch is made. */
export interface Past {
  keys(cluster: string, taskIds: readonly string[]): Promise<readonly StoredTaskKey[]>;
  /** Of the tasks that it knows. */
  events(cluster: string, keys: readonly StoredTaskKey[]): Promise<readonly StoredTaskEvent[]>;
}

/** What outlives a batch. */
export interface Memory {
  readonly tasks: TaskMemory;
  readonly workers: WorkerMemory;
  readonly recent: RecentIds;
  readonly audit: RecentRecords;
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
  readonly audit: readonly string[];
  readonly queueSamples: readonly string[];
}

/** What a batch has of one cluster. Tasks and events are told by their places in the list of events. */
class ClusterPart {
  readonly name: string;
  /** Its number in the memory of tasks. */
  readonly number: number;
  readonly tasks: number[] = [];
  /** Tasks whose past has to be looked up first. */
  readonly unresolved = new Set<number>();
  /** Events of no task. */
  readonly loose: number[] = [];
  /** Tasks that changed since the last live rows, in order. */
  changed: number[] = [];

  constructor(name: string, number: number) {
    this.name = name;
    this.number = number;
  }
}

const ROW_BINARY = 'application/octet-stream';
const NDJSON = 'application/x-ndjson';

/** All that is asked of an audit record here: one of another release passes on as it is. */
const recordKey = z.looseObject({ id: z.string().min(1).max(100) });

/** A batch is written when it holds this much. Three times as much is in memory: one is gathered, one written, of one the tasks linger. */
const BATCH_EVENTS = 100_000;
const BATCH_BYTES = 40_000_000;

/**
 * Whether an event was dropped as a repeat when the batch was first made: by its place among the batch's events, from 0 on.
 * Audit records have places of their own, from -1 down, so that a release which knows none finds its events where they were.
 */
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
  #lineBytes = 0;
  readonly #events: EventList;
  readonly #parts = new Map<string, ClusterPart>();
  /** By task: the round of live rows in which it was noted, so that it is there once. */
  readonly #shownIn: number[] = [];
  #liveRound = 1;
  readonly #workerSamples: string[] = [];
  readonly #poison: string[] = [];
  readonly #gaps: string[] = [];
  readonly #audit: string[] = [];
  readonly #queueSamples: string[] = [];
  #heard = 0;
  #audited = 0;
  /** What of the batch was heard before, as `WasDropped` tells it. By place and not by id: one id may come twice in a batch. */
  readonly dropped: number[] = [];
  /** Newest collector time in the batch, Unix seconds: what the lag is measured against. */
  newestCollectedAt = 0;

  constructor(number: number, memory: Memory, wasDropped: WasDropped | null = null) {
    this.number = number;
    this.#memory = memory;
    this.#wasDropped = wasDropped;
    this.#events = new EventList(number, memory.tasks, memory.output.messages);
  }

  get empty(): boolean {
    return this.#empty;
  }

  get full(): boolean {
    // places of dropped events travel in one message to NATS
    const heard = Math.max(this.#events.length, this.dropped.length);
    return heard >= BATCH_EVENTS || this.#events.bytes + this.#lineBytes >= BATCH_BYTES;
  }

  get events(): number {
    return this.#events.length + this.#workerSamples.length;
  }

  /** Takes a message in. Messages come in the order of the stream. */
  add(message: StoredBatch): void {
    this.#empty = false;
    if (message.kind === 'task') return this.#addRows(message);
    this.#lineBytes += message.data.length;
    if (message.kind === 'unknown') return this.#buryWhole(message);
    for (const line of linesOf(message.data)) this.#addLine(message.kind, message.cluster, line);
  }

  #addRows({ cluster, data }: StoredBatch): void {
    const { reader } = this.#memory.output;
    const part = this.#partOf(cluster);
    reader.begin(this.#events.beginMessage(data));
    while (this.#nextRow(reader, cluster)) {
      if (this.#isRepeat(reader.data, reader.headBegin)) continue;
      const { collectedAt } = reader;
      if (collectedAt > this.newestCollectedAt) this.newestCollectedAt = collectedAt;
      if (reader.has(TEXT_COLUMN.task_id)) this.#addEvent(part, reader);
      else part.loose.push(this.#events.add(reader.frame, NONE));
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

  #addLine(kind: Exclude<BatchKind, 'task'>, cluster: string, line: string): void {
    switch (kind) {
      case 'poison':
        return void this.#poison.push(`${line}\n`);
      case 'gap':
        return void this.#gaps.push(`${line}\n`);
      case 'queue':
        return void this.#queueSamples.push(`${line}\n`);
      case 'audit':
        return this.#addAudit(cluster, line);
      case 'worker':
        return this.#addWorkerEvent(cluster, line);
      default:
        return kind satisfies never;
    }
  }

  #addWorkerEvent(cluster: string, line: string): void {
    let event: PipelineEvent;
    try {
      event = JSON.parse(line) as PipelineEvent;
    } catch (error) {
      return this.#buryLine(cluster, error, line);
    }
    if (this.#isRepeat(Buffer.from(event.event_id), 0)) return;
    if (event.collected_at > this.newestCollectedAt) this.newestCollectedAt = event.collected_at;
    this.#workerSamples.push(`${line}\n`);
    this.#memory.workers.apply(cluster, event);
  }

  #addAudit(cluster: string, line: string): void {
    let id: string;
    try {
      ({ id } = recordKey.parse(JSON.parse(line)));
    } catch (error) {
      return this.#buryLine(cluster, error, line);
    }
    const place = -++this.#audited;
    const isNew = this.#memory.audit.add(id);
    const repeat = this.#wasDropped === null ? !isNew : this.#wasDropped(place);
    if (repeat) this.dropped.push(place);
    else this.#audit.push(`${line}\n`);
  }

  #isRepeat(data: Uint8Array, at: number): boolean {
    const place = this.#heard++;
    const isNew = this.#memory.recent.addBytes(data, at);
    const repeat = this.#wasDropped === null ? !isNew : this.#wasDropped(place);
    if (repeat) this.dropped.push(place);
    else if (this.#wasDropped !== null) this.#again.add(latin1(data, at));
    return repeat;
  }

  #addEvent(part: ClusterPart, event: TaskEventReader): void {
    const { tasks } = this.#memory;
    let handle = tasks.find(
      part.number,
      event.data,
      event.textBegin(TEXT_COLUMN.task_id),
      event.textEnd(TEXT_COLUMN.task_id),
    );
    const isNew = handle === NONE;
    const isUnresolved = isNew && this.#mayHaveAPast(part, event);
    if (isNew) handle = tasks.hold(part.number, event.collectedAt);
    const task = this.#events.take(handle);
    this.#events.add(event.frame, task);
    if (task === this.#shownIn.length) {
      this.#shownIn.push(0);
      part.tasks.push(task);
      if (isUnresolved) part.unresolved.add(task);
    }
    if (part.unresolved.size === 0 || !part.unresolved.has(task)) this.#show(part, task);
  }

  /** Whether an event of a task that memory does not hold may have had others before it. */
  #mayHaveAPast({ number }: ClusterPart, event: TaskEventReader): boolean {
    const begins = event.type === 'task-sent' || event.type === 'task-received';
    const late = event.collectedAt - event.timestamp > LATE_SECONDS;
    const { tasks } = this.#memory;
    return this.#wasDropped !== null || !begins || (event.retries ?? 0) > 0 || late || tasks.mayBeStored(number);
  }

  /** Looks up the past of tasks that memory does not hold. Once, before `writes`. */
  async resolve(past: Past): Promise<void> {
    for (const part of this.#parts.values()) {
      const { name, unresolved } = part;
      if (unresolved.size === 0) continue;
      const ids = new Map([...unresolved].map((task) => [this.#events.idOf(task), task]));
      const keys = await past.keys(name, [...ids.keys()]);
      const events = await past.events(name, keys);
      const others = events.filter(({ event_id }) => !this.#again.has(event_id));
      const stored = Map.groupBy(others, (event) => event.task_id);
      const firstSeen = new Map(keys.map((key) => [key.task_id, key.first_seen_at]));
      for (const [id, task] of ids) {
        this.#events.setPast(task, stored.get(id) ?? []);
        const firstSeenAt = firstSeen.get(id);
        if (firstSeenAt !== undefined) this.#memory.tasks.setFirstSeenAt(this.#events.handleOf(task), firstSeenAt);
        this.#show(part, task);
      }
      unresolved.clear();
    }
  }

  /** Everything to be written, as the tasks stand now. Once. @param version above that of every batch before */
  writes(retentionOf: (cluster: string) => RetentionPolicy, version: number): Writes {
    const { output } = this.#memory;
    output.taskEvents.reset();
    output.tasks.reset();
    const ends: ClusterEnd[] = [];
    for (const { name, loose, tasks: touched } of this.#parts.values()) {
      const retention = retentionOf(name);
      for (const event of loose) this.#events.appendRow(output.taskEvents, event, null, name, retention.events);
      for (const task of touched) this.#writeTask(name, task, version, retention);
      ends.push({ cluster: name, taskEvents: output.taskEvents.count, tasks: output.tasks.count });
    }
    return {
      taskEvents: withClusters(output.taskEvents, (index) => ends.find((end) => index < end.taskEvents)),
      tasks: withClusters(output.tasks, (index) => ends.find((end) => index < end.tasks)),
      workerSamples: this.#workerSamples,
      poison: this.#poison,
      gaps: this.#gaps,
      audit: this.#audit,
      queueSamples: this.#queueSamples,
    };
  }

  #writeTask(cluster: string, task: number, version: number, retention: RetentionPolicy): void {
    const { output, tasks } = this.#memory;
    const handle = this.#events.handleOf(task);
    const found = tasks.read(handle);
    tasks.noteReached(handle, isFinal(found), found.endSource === 'derived');
    appendTask(output.tasks, taskRow(cluster, found, tasks.firstSeenAt(handle), version, retention));
    this.#events.appendRows(output.taskEvents, task, found, cluster, retention.events);
  }

  /**
   * To be called when everything is in the store. Gives up what ended in the batch before, so that a task is held for a
   * second after its end: its last events may come in another order. That batch's memory is free then.
   */
  settle(): void {
    const { output } = this.#memory;
    const { settled } = output;
    if (settled !== null) settled.#events.release();
    output.settled = this;
  }

  /** The rows that changed since this was last called, newest last, at most `limit` of each cluster. */
  takeLive(limit: number): { cluster: string; rows: TaskListRow[]; omitted: number }[] {
    this.#liveRound++;
    return [...this.#parts.values()].flatMap((part) => {
      const { changed, name } = part;
      if (changed.length === 0) return [];
      part.changed = [];
      const newest = changed.slice(-limit);
      return {
        cluster: name,
        rows: newest.map((task) => this.#listRow(name, task)),
        omitted: changed.length - newest.length,
      };
    });
  }

  #listRow(cluster: string, task: number): TaskListRow {
    const { tasks } = this.#memory;
    const handle = this.#events.handleOf(task);
    return listRow(cluster, tasks.read(handle), tasks.firstSeenAt(handle));
  }

  #show({ changed }: ClusterPart, task: number): void {
    if (this.#shownIn[task] === this.#liveRound) return;
    this.#shownIn[task] = this.#liveRound;
    changed.push(task);
  }

  #partOf(cluster: string): ClusterPart {
    let part = this.#parts.get(cluster);
    if (part === undefined) {
      part = new ClusterPart(cluster, this.#memory.tasks.clusterNumber(cluster));
      this.#parts.set(cluster, part);
    }
    return part;
  }

  #buryLine(cluster: string, error: unknown, line: string): void {
    this.#bury(cluster, error, NDJSON, line.length, line.slice(0, 65_536));
  }

  /** A message of another release: what it holds is not lost, if not understood. */
  #buryWhole({ cluster, data }: StoredBatch): void {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const isText = isUtf8(bytes);
    const detail = 'a message of a kind that this release does not know: update the aggregator';
    const told = { cluster, reason: 'BATCH_KIND_UNKNOWN', detail, content_type: isText ? NDJSON : ROW_BINARY };
    const body = isText ? bytes.toString('utf8', 0, 65_536) : bytes.toString('base64', 0, 48 * 1024);
    this.#poison.push(poisonLine({ ...told, size: bytes.length, body }));
  }

  #bury(cluster: string, error: unknown, contentType: string, size: number, body: string): void {
    const reason = error instanceof TaskEventFormatError ? error.code : 'BATCH_LINE_INVALID';
    const detail = error instanceof Error ? error.message : String(error);
    this.#poison.push(poisonLine({ cluster, reason, detail, content_type: contentType, size, body }));
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

/** How many rows there are up to the end of a cluster's. */
interface ClusterEnd {
  readonly cluster: string;
  readonly taskEvents: number;
  readonly tasks: number;
}

function withClusters(rows: Rows, endOf: (index: number) => ClusterEnd | undefined): ClusterRows {
  return {
    count: rows.count,
    contentType: ROW_BINARY,
    slice: (from, to) => rows.slice(from, to),
    clusterOf: (index) => endOf(index)?.cluster ?? '',
  };
}
