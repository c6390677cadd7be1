import { openBus } from '@meadow/bus';
import {
  askControlSubject,
  BUCKETS,
  clusterDefinition,
  type AuditRecord,
  type ClusterDefinition,
  type ControlPart,
  type ControlQuestionInput,
  TaskEventReader,
  TEXT_COLUMN,
  type TaskOutcome,
  type ToldTask,
} from '@meadow/contract';
import {
  celeryEnvironment,
  celeryFolder,
  runPython,
  startCeleryWorker,
  startNats,
  startRabbitmq,
  startRedis,
  startService,
  tempFolder,
  waitFor,
  type TestServer,
} from '@meadow/testkit';
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const by = { actor: 'ann', signed_in: 'basic', address: '127.0.0.1', user_agent: 'test' } as const;
const never = new AbortController().signal;
const folder = fileURLToPath(new URL('celery', import.meta.url));

/** A run of a task that notes what it was given. */
interface Note {
  readonly id: string;
  readonly retry_of: string | null;
  readonly got: string;
}

/** An event as it lies in the stream. */
interface SentEvent {
  readonly type: string;
  readonly worker: string;
  readonly name: string;
  readonly queue: string;
  readonly args: string;
  readonly kwargs: string;
  readonly rootId: string;
  readonly extra: string;
}

type Ended = Extract<ControlPart, { kind: 'ended' }>;

export interface TasksRig extends AsyncDisposable {
  readonly broker: TestServer;
  readonly natsUrl: string;
  ask(question: ControlQuestionInput, signal?: AbortSignal): Promise<ControlPart[]>;
  send(
    task: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly task: TaskOutcome; readonly end: Ended | undefined }>;
  draft(taskId: string, told?: ToldTask | null): Promise<Extract<ControlPart, { kind: 'draft' }>['draft']>;
  retry(
    tasks: readonly (readonly [string, ToldTask | null])[],
    more?: Partial<Extract<ControlQuestionInput, { kind: 'retry' }>>,
    signal?: AbortSignal,
  ): Promise<{ readonly request_id: string; readonly tasks: readonly TaskOutcome[]; readonly end: Ended | undefined }>;
  notes(): readonly Note[];
  note(find: (note: Note) => boolean): Promise<Note>;
  /** A result as the worker stored it, once it has ended. */
  result(taskId: string): Promise<Record<string, unknown>>;
  python(script: string, args?: readonly string[]): Promise<string>;
  audit(): Promise<readonly AuditRecord[]>;
  /** What control itself told of a task that it sent. */
  sentEvent(taskId: string): Promise<SentEvent>;
  readonly worker: { readonly pid: number; log(): string; ended(): boolean };
}

export interface TasksRigOptions {
  /** Names of further tasks that note what they are given. */
  readonly names?: readonly string[];
  readonly args?: readonly string[];
}

/** Control as a process of its own, and a worker that keeps extended results in Redis. */
export async function openTasksRig(kind: 'redis' | 'rabbitmq', options: TasksRigOptions = {}): Promise<TasksRig> {
  await using stack = new AsyncDisposableStack();
  const results = stack.use(await startRedis());
  const rabbit = kind === 'rabbitmq' ? stack.use(await startRabbitmq()) : null;
  const redis = kind === 'redis' ? stack.use(await startRedis()) : null;
  const brokerUrl = rabbit?.amqpUrl ?? redis?.url ?? '';
  const broker = rabbit ?? redis ?? results;
  const nats = stack.use(await startNats());
  const bus = stack.use(await openBus({ url: nats.url, name: 'test', signal: never }));
  await bus.events.ensure();
  const clusters = await bus.bucket<ClusterDefinition>(BUCKETS.clusters, (value) => clusterDefinition.parse(value));
  await clusters.put(
    'garden',
    clusterDefinition.parse({ name: 'garden', broker: brokerUrl, resultBackend: results.url }),
  );
  stack.use(await startService('control', { natsUrl: nats.url, clickhouseUrl: 'http://127.0.0.1:1' }));
  const file = `${tempFolder('notes')}/notes`;
  writeFileSync(file, '');
  const settings = { result_extended: true, task_track_started: true };
  const env = {
    ...celeryEnvironment({ brokerUrl, backendUrl: results.url, settings }),
    ...{ PYTHONPATH: celeryFolder, NOTES: file, NOTES_NAMES: JSON.stringify(options.names ?? []) },
  };
  const worker = stack.use(
    await startCeleryWorker({
      ...{ brokerUrl, backendUrl: results.url, settings, app: 'notebook', cwd: folder, env },
      args: options.args ?? ['--concurrency', '2'],
    }),
  );
  const ask = async (question: ControlQuestionInput, signal = never): Promise<ControlPart[]> => {
    const parts: ControlPart[] = [];
    for await (const part of bus.requests.askInParts(askControlSubject('garden'), question, signal)) {
      parts.push(part as ControlPart);
    }
    return parts;
  };
  await waitFor(async () => (await ask({ kind: 'inspect', of: ['stats'], workers: null }).catch(() => [])).length > 0, {
    ...{ what: 'control to answer', deadlineMs: 30_000, everyMs: 200 },
  });
  const notes = (): Note[] =>
    readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Note);
  const python = (script: string, args: readonly string[] = []): Promise<string> =>
    runPython(script, { env, cwd: folder, args });
  const outcomesIn = (parts: readonly ControlPart[]): TaskOutcome[] =>
    parts.flatMap((part) => {
      if (part.kind !== 'task') return [];
      const { kind: _, ...outcome } = part;
      return outcome;
    });
  const endIn = (parts: readonly ControlPart[]): Ended | undefined => parts.find((part) => part.kind === 'ended');
  const kept = stack.move();
  return {
    ...{ broker, natsUrl: nats.url, ask, notes, python, worker },
    async send(task) {
      const parts = await ask({ kind: 'send', request_id: randomUUID(), by, task });
      const [sent] = outcomesIn(parts);
      if (sent === undefined) throw new Error('nothing came of it');
      return { task: sent, end: endIn(parts) };
    },
    async draft(task_id, told = null) {
      const parts = await ask({ kind: 'draft', task_id, told });
      const part = parts.find((each) => each.kind === 'draft');
      if (part === undefined) throw new Error('no draft came');
      return part.draft;
    },
    async retry(tasks, more = {}, signal = never) {
      const request_id = randomUUID();
      const named = tasks.map(([task_id, told]) => ({ task_id, told }));
      const how = { edit: null, dry_run: false, even_if_waiting: false, per_second: null };
      const parts = await ask({ kind: 'retry', request_id, by, tasks: named, ...how, ...more }, signal);
      return { request_id, tasks: outcomesIn(parts), end: endIn(parts) };
    },
    note: (find) => waitFor(() => notes().find(find), { what: 'the run of a task', deadlineMs: 30_000, everyMs: 50 }),
    async result(taskId) {
      const script = `
import garden, json, sys
meta = garden.app.backend.get_task_meta(sys.argv[1])
print(json.dumps({"status": meta["status"], "result": meta["result"]}, default=repr))`;
      return waitFor(
        async () => {
          const meta = JSON.parse(await python(script, [taskId])) as Record<string, unknown>;
          return /SUCCESS|FAILURE|REVOKED/.test(String(meta['status'])) ? meta : null;
        },
        { what: `the result of ${taskId}`, deadlineMs: 30_000, everyMs: 100 },
      );
    },
    async sentEvent(id) {
      return waitFor(
        async () => {
          if ((await bus.events.state()).messages === 0) return null;
          for await (const batch of bus.events.read(0, AbortSignal.timeout(10_000))) {
            const found = batch.kind === 'task' ? taskEventIn(batch.data, id) : null;
            if (found !== null) return found;
            if (batch.pending === 0) break;
          }
          return null;
        },
        { what: `the event of ${id}`, deadlineMs: 30_000, everyMs: 200 },
      );
    },
    async audit() {
      const records: AuditRecord[] = [];
      if ((await bus.events.state()).messages === 0) return records;
      for await (const batch of bus.events.read(0, AbortSignal.timeout(10_000))) {
        if (batch.kind === 'audit') {
          const lines = Buffer.from(batch.data).toString().trim().split('\n');
          records.push(...lines.map((line) => JSON.parse(line) as AuditRecord));
        }
        if (batch.pending === 0) break;
      }
      return records;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

function taskEventIn(data: Uint8Array, id: string): SentEvent | null {
  const reader = new TaskEventReader();
  reader.begin(Buffer.from(data));
  while (reader.next()) {
    if (reader.taskId !== id) continue;
    const { type, worker, name, queue } = reader;
    const told = { args: TEXT_COLUMN.args, kwargs: TEXT_COLUMN.kwargs, rootId: TEXT_COLUMN.root_id };
    const texts = { args: reader.text(told.args), kwargs: reader.text(told.kwargs), rootId: reader.text(told.rootId) };
    return { type, worker, name, queue, ...texts, extra: reader.text(TEXT_COLUMN.extra) };
  }
  return null;
}
