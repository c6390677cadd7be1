import type { JsonValue } from './json.ts';

/**
 * Fields every event has, under Celery's wire names. In all event types an optional field may be absent, undefined or
 * null alike; a value of the wrong type reads as null here and is found with {@link extraOf}.
 */
export interface EventBase {
  type: string;
  /** Node name of the sender: `celery@host` for workers, `gen<pid>@host` for clients. */
  hostname: string;
  /** Seconds since the epoch, UTC, whatever `utcoffset` says; between 0 and the year 10000. */
  timestamp: number;
  /** Lamport clock of the sending process: not comparable between senders. */
  clock?: number | null;
  pid?: number | null;
  /** Hours west of UTC of the sender. Diagnostics only: applying it corrupts `timestamp`. */
  utcoffset?: number | null;
}

/** The task events that Celery itself sends. */
export type TaskEventType =
  | 'task-sent'
  | 'task-received'
  | 'task-started'
  | 'task-succeeded'
  | 'task-failed'
  | 'task-retried'
  | 'task-revoked'
  | 'task-rejected'
  | 'task-cancelled';

/**
 * An event about one task: Celery's own or one sent with `Task.send_event`. Which fields are there depends on the type;
 * only `task-sent` and `task-received` carry the name.
 */
export interface TaskEvent extends EventBase {
  type: TaskEventType | `task-${string}`;
  uuid: string;
  name?: string | null;
  /** Truncated Python repr; JSON text when an odd publisher sends a structure. The same for `kwargs` and `result`. */
  args?: string | null;
  kwargs?: string | null;
  retries?: number | null;
  /** ISO 8601. */
  eta?: string | null;
  /** ISO 8601. Not to be confused with `expired`. */
  expires?: string | null;
  root_id?: string | null;
  /** The task that published this one; equals `uuid` after a retry or replace. */
  parent_id?: string | null;
  queue?: string | null;
  exchange?: string | null;
  routing_key?: string | null;
  result?: string | null;
  /** Seconds. */
  runtime?: number | null;
  exception?: string | null;
  traceback?: string | null;
  terminated?: boolean | null;
  /** Signal number, or its name when the pool reports so. */
  signum?: number | string | null;
  expired?: boolean | null;
  requeue?: boolean | null;
}

/** A worker saying that it lives or stops. */
export interface WorkerEvent extends EventBase {
  type: 'worker-online' | 'worker-heartbeat' | 'worker-offline';
  /** Seconds between heartbeats. */
  freq?: number | null;
  active?: number | null;
  processed?: number | null;
  /** Load average over 1, 5 and 15 minutes. */
  loadavg?: number[] | null;
  sw_ident?: string | null;
  sw_ver?: string | null;
  sw_sys?: string | null;
}

/** Anything else: application events, and the gossip of `worker-elect` and `worker-elect-ack`. All its own fields are extra. */
export type CustomEvent = EventBase;

/**
 * One decoded event: the parsed object itself, checked in place. Told apart with {@link isTaskEvent} and
 * {@link isWorkerEvent}, not by a field of ours: any name may be a user's.
 */
export type CeleryEvent = TaskEvent | WorkerEvent | CustomEvent;

/** True for events whose type starts with `task-`. */
export function isTaskEvent(event: CeleryEvent): event is TaskEvent {
  return event.type.startsWith('task-');
}

/** True for the three types by which a worker shows its life; false for gossip. */
export function isWorkerEvent(event: CeleryEvent): event is WorkerEvent {
  return event.type === 'worker-heartbeat' || event.type === 'worker-online' || event.type === 'worker-offline';
}

/** What a known field must hold: `text` takes anything and keeps it as text, the others displace what does not fit. */
export type FieldKind = 'string' | 'text' | 'number' | 'count' | 'boolean' | 'signal' | 'numbers';

const common: [string, FieldKind][] = [
  ['type', 'string'],
  ['hostname', 'string'],
  ['timestamp', 'number'],
  ['clock', 'count'],
  ['pid', 'count'],
  ['utcoffset', 'number'],
];

const commonFields: ReadonlyMap<string, FieldKind> = new Map(common);

const workerFields: ReadonlyMap<string, FieldKind> = new Map([
  ...common,
  ['freq', 'number'],
  ['active', 'count'],
  ['processed', 'count'],
  ['loadavg', 'numbers'],
  ['sw_ident', 'string'],
  ['sw_ver', 'string'],
  ['sw_sys', 'string'],
]);

const taskFields: ReadonlyMap<string, FieldKind> = new Map([
  ...common,
  ['uuid', 'string'],
  ['name', 'string'],
  ['args', 'text'],
  ['kwargs', 'text'],
  ['retries', 'count'],
  ['eta', 'string'],
  ['expires', 'string'],
  ['root_id', 'string'],
  ['parent_id', 'string'],
  ['queue', 'string'],
  ['exchange', 'string'],
  ['routing_key', 'string'],
  ['result', 'text'],
  ['runtime', 'number'],
  ['exception', 'text'],
  ['traceback', 'text'],
  ['terminated', 'boolean'],
  ['signum', 'signal'],
  ['expired', 'boolean'],
  ['requeue', 'boolean'],
]);

/** The fields of Celery's own that an event of this kind may have; every other field is extra. */
export function fieldsOf(event: CeleryEvent): ReadonlyMap<string, FieldKind> {
  if (isTaskEvent(event)) return taskFields;
  return isWorkerEvent(event) ? workerFields : commonFields;
}

/** Holds, on the few events that have one, values taken out of known fields. A symbol: no wire field can have its name. */
export const displacedFields = Symbol('fields of the wrong type');

/**
 * The fields that are not Celery's: a custom event's own, and values whose type did not fit the known field they came
 * in (under that field's name). Null when there are none. The object has no prototype, so a field may be called
 * `__proto__`; copy it with spread, not `Object.assign`.
 */
export function extraOf(event: CeleryEvent): Record<string, JsonValue> | null {
  const known = fieldsOf(event);
  const fields = event as unknown as Record<string, JsonValue>;
  let extra: Record<string, JsonValue> | null = null;
  for (const key in fields) {
    if (known.has(key)) continue;
    extra ??= emptyRecord();
    extra[key] = fields[key] ?? null;
  }
  const displaced = (event as { [displacedFields]?: Record<string, JsonValue> })[displacedFields];
  if (displaced === undefined) return extra;
  return Object.assign(extra ?? emptyRecord(), displaced);
}

/** A record without prototype, where `__proto__` is a name like any other. */
export function emptyRecord(): Record<string, JsonValue> {
  return Object.create(null) as Record<string, JsonValue>;
}
