/** What a field holds, which decides the operators and values that it takes. */
export type FieldKind = 'text' | 'number' | 'duration' | 'time';

const FIELDS = {
  id: { kind: 'text', explains: 'id of the task' },
  state: { kind: 'text', explains: 'state it is in now' },
  name: { kind: 'text', explains: 'name of the task' },
  queue: { kind: 'text', explains: 'queue it was sent to' },
  worker: { kind: 'text', explains: 'worker that has it or had it last' },
  pool: { kind: 'text', explains: 'pool of that worker' },
  client: { kind: 'text', explains: 'node that sent it' },
  root: { kind: 'text', explains: 'id of the task that began the workflow' },
  parent: { kind: 'text', explains: 'id of the task that sent it' },
  cluster: { kind: 'text', explains: 'name of the cluster' },
  args: { kind: 'text', explains: 'positional arguments, as Python writes them' },
  kwargs: { kind: 'text', explains: 'keyword arguments, as Python writes them' },
  result: { kind: 'text', explains: 'what it returned, as Python writes it' },
  exception: { kind: 'text', explains: 'class of the newest exception; with :~ its text' },
  traceback: { kind: 'text', explains: 'traceback of the newest exception' },
  error: { kind: 'text', explains: 'fingerprint of its error group' },
  reason: { kind: 'text', explains: 'why it counts as lost' },
  progress: { kind: 'text', explains: 'fields of its newest custom event, as JSON' },
  exchange: { kind: 'text', explains: 'exchange it was sent to' },
  routing_key: { kind: 'text', explains: 'routing key it was sent with' },
  retries: { kind: 'number', explains: 'retries so far' },
  attempts: { kind: 'number', explains: 'how often it was begun' },
  runtime: { kind: 'duration', explains: 'how long it ran' },
  wait: { kind: 'duration', explains: 'how long it waited to be started' },
  seen: { kind: 'time', explains: 'when it was first heard of' },
  sent: { kind: 'time', explains: 'when it was sent' },
  received: { kind: 'time', explains: 'when a worker took it first' },
  started: { kind: 'time', explains: 'when it was started last' },
  finished: { kind: 'time', explains: 'when it ended' },
  updated: { kind: 'time', explains: 'time of its newest event' },
  eta: { kind: 'time', explains: 'when it may start at the earliest' },
} as const satisfies Record<string, { readonly kind: FieldKind; readonly explains: string }>;

export type TaskField = keyof typeof FIELDS;

type FieldOf<Kind extends FieldKind> = {
  [Field in TaskField]: (typeof FIELDS)[Field]['kind'] extends Kind ? Field : never;
}[TaskField];
export type TextField = FieldOf<'text'>;
/** Durations are seconds, times Unix seconds. */
export type NumberField = FieldOf<'number' | 'duration' | 'time'>;

/** In the order in which they are offered. */
export const TASK_FIELDS = Object.keys(FIELDS) as readonly TaskField[];

/** Fields of which values that tasks had are looked up; of `kwargs` its keys. */
export const SEEN_FIELDS = ['name', 'queue', 'worker', 'exception', 'client', 'pool', 'kwargs'] as const;
export type SeenField = (typeof SEEN_FIELDS)[number];

export const isTaskField = (name: string): name is TaskField => Object.hasOwn(FIELDS, name);

export const kindOf = (field: TaskField): FieldKind => FIELDS[field].kind;

/** A line for people. */
export const explainField = (field: TaskField): string => FIELDS[field].explains;

export const isTextField = (field: TaskField): field is TextField => FIELDS[field].kind === 'text';
