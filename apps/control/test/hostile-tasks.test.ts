import type { TaskOutcome } from '@meadow/contract';
import { waitFor } from '@meadow/testkit';
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { anyValue, randomly, type Random } from './hostile-values.ts';
import { mutate, startGateway, type Gateway } from './gateway.ts';
import { openTasksRig, type TasksRig } from './tasks-rig.ts';

const INPUTS = 10_000;
const AT_A_TIME = 50;
/** Of so many inputs one is a retry: workers are asked for each, and over AMQP have their whole time to answer. */
const RETRIES = 10;

const one = <T>(random: Random, values: readonly T[]): T => values[random(values.length)] as T;

const NAMES = ['notebook.note', 'garden.echo', 'nothing.of.this.name', 'celery.backend_cleanup', 'ünïcode.☃'];
const QUEUES = ['celery', 'celery', 'celery', 'parked'];
const ARGS = [
  '[]',
  '[1.0,NaN,1e400]',
  '["\\ud800"]',
  '[{"__type__":"datetime","__value__":"x"}]',
  '[[[[]]]]',
  '[',
  '{}',
  '[1,]',
];
const KWARGS = [
  '{}',
  '{"a":1}',
  '{"":0}',
  '{"args":1,"kwargs":2}',
  '{"__proto__":1}',
  '{"self":1}',
  '[]',
  '{"a":1,"a":2}',
  '{',
];
const TIMES = [
  null,
  0,
  1,
  0.001,
  -1,
  1e9,
  '2020-01-01T00:00:00Z',
  '2026-13-01',
  new Date(Date.now() + 600_000).toISOString(),
];

/** A task that can be sent, with some of it replaced by what should not be. */
function anyTask(random: Random): Record<string, unknown> {
  const task: Record<string, unknown> = { name: one(random, NAMES), queue: one(random, QUEUES) };
  const may = (key: string, value: () => unknown): void => {
    if (random(7) === 0) task[key] = value();
  };
  may('args', () => one(random, ARGS));
  may('kwargs', () => one(random, KWARGS));
  may('priority', () => one(random, [0, 3, 9, 10, 255, 256, -1, 1.5]));
  may('countdown', () => one(random, TIMES));
  may('eta', () => one(random, TIMES));
  may('expires', () => one(random, TIMES));
  may('headers', () => ({
    [one(random, ['x-a', 'id', 'task', 'args', 'x-death', 'CC', 'delivery_info'])]: anyValue(random, 2),
  }));
  may('stamps', () => ({ [one(random, ['tenant', 'queue', 'stamps'])]: anyValue(random, 2) }));
  may('timelimit', () => ({ hard: one(random, [null, 20, 0, -1, '5']), soft: one(random, [null, 10, 30]) }));
  while (random(4) === 0) {
    const key = one(random, [
      ...Object.keys(task),
      'id',
      'exchange',
      'routingKey',
      'shadow',
      'rootId',
      'retryOf',
      'ignoreResult',
    ]);
    task[key] = anyValue(random);
  }
  if (random(15) === 0)
    task[one(random, ['delivery_tag', 'content_type', '__proto__x', 'reply_to', 'body'])] = anyValue(random);
  return task;
}

const REPRS = [
  '()',
  '(1, 1.0)',
  "('a',)",
  '(...)',
  "('aaa...',)",
  "{'a': ***}",
  '<Rose>',
  '(__import__("os").abort(),)',
  '((((',
  '{}',
  "{'a': [None]}",
];

/** Tasks that are to run again, as nobody would tell of them. */
function anyTold(random: Random) {
  const text = (values: readonly (string | null)[]): string | null => {
    const value = random(6) === 0 ? anyValue(random, 3) : one(random, values);
    return typeof value === 'string' ? value : null;
  };
  return {
    ...{ name: text(NAMES), args: text(REPRS), kwargs: text(['{}', '{}', ...REPRS]), queue: text(QUEUES) },
    ...{ exchange: text(['', null]), routingKey: text(['celery', 'parked']), eta: text([null]), expires: text([null]) },
  };
}

type Outcome = Pick<TaskOutcome, 'outcome' | 'new_id' | 'queues'>;

interface Sent {
  readonly id: string;
  readonly name: unknown;
  /** Nothing keeps it from running at once. */
  readonly isPlain: boolean;
  readonly queues: readonly string[] | null;
}

async function survives(rig: TasksRig, gateway: Gateway): Promise<void> {
  const { pid } = rig.worker;
  await rig.python(`
import garden
with garden.app.connection() as connection:
    connection.default_channel.queue_declare("parked", durable=True, auto_delete=False)`);
  const by = { actor: 'mallory', signed_in: 'anonymous', address: '', user_agent: '' } as const;
  const told = { ...TOLD_OF_ONE };
  const base = await rig.draft('known', told);
  if (base.kind !== 'draft') throw new Error(base.reason);
  const random = randomly(2027);
  const sent: Sent[] = [];
  const counts = { refused: 0, unsure: 0 };
  /** The way of a browser, or of a script. */
  const sendByApi = async (task: object): Promise<Outcome> => {
    const { status, text } = await mutate(gateway, 'tasks.send', { cluster: 'garden', task });
    if (status === 200) return (JSON.parse(text) as { result: { data: { task: Outcome } } }).result.data.task;
    if (status < 500) return { outcome: 'refused', new_id: null, queues: null };
    throw new Error(`${status} to ${JSON.stringify(task)}: ${text}`);
  };
  const broken: unknown[] = [];
  const send = async (): Promise<void> => {
    const task = anyTask(random);
    const outcome = random(2) === 0 ? (await rig.send(task)).task : await sendByApi(task);
    if (outcome.outcome === 'unsure') counts.unsure++;
    if (outcome.new_id === null) return void counts.refused++;
    const isPlain = ['countdown', 'eta', 'expires', 'timelimit', 'id', 'args', 'kwargs'].every((key) => !(key in task));
    sent.push({ id: outcome.new_id, name: task['name'], isPlain, queues: outcome.queues });
  };
  const retry = async (): Promise<void> => {
    const isEdit = random(2) === 0;
    const tasks = isEdit
      ? [['known', told] as const]
      : Array.from({ length: 1 + random(5) }, () => [randomUUID(), anyTold(random)] as const);
    const edit = isEdit ? { base: base.base, changes: anyTask(random) } : null;
    const { tasks: outcomes } = await rig.retry(tasks, { edit });
    for (const { outcome, new_id, queues } of outcomes) {
      if (outcome === 'refused' || new_id === null) counts.refused++;
      else sent.push({ id: new_id, name: null, isPlain: false, queues });
    }
  };
  let given = 0;
  // made in the same order each time, whatever takes how long
  const lane = async (): Promise<void> => {
    while (given < INPUTS)
      await (given++ % RETRIES === 0 ? retry() : send()).catch((error: unknown) => {
        if (String(error).startsWith('Error: 5')) broken.push(error);
        counts.refused++;
      });
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  // a test that refuses everything would prove nothing, nor one that refuses nothing
  expect(sent.length).toBeGreaterThan(2_000);
  expect(counts.refused).toBeGreaterThan(2_000);
  expect(counts.unsure).toBe(0);
  expect(broken).toEqual([]);

  // alive is not enough: one that is deaf takes no task any more
  const { task: last } = await rig.send({ name: 'notebook.note', queue: 'celery', args: '["still here"]' });
  await waitFor(() => rig.notes().some(({ id }) => id === last.new_id), {
    ...{ what: 'a task after all that', deadlineMs: 120_000, everyMs: 200 },
  });
  const plain = sent.filter(
    ({ name, isPlain, queues }) => name === 'notebook.note' && isPlain && queues?.[0] === 'celery',
  );
  const ran = () =>
    rig
      .notes()
      .filter(({ id }) => id !== last.new_id)
      .map(({ id }) => id);
  await waitFor(() => new Set(ran()).isSupersetOf(new Set(plain.map(({ id }) => id))), {
    ...{ what: 'all that was sent to run', deadlineMs: 60_000, everyMs: 200 },
  });
  expect(plain.length).toBeGreaterThan(100);
  // what was refused never reached the broker
  const all = new Set(sent.map(({ id }) => id));
  expect(ran().filter((id) => !all.has(id))).toEqual([]);
  // and what reached it did once: nothing loops
  expect(ran().length).toBeLessThanOrEqual(sent.length);
  const parked = sent.filter(({ queues }) => queues?.[0] === 'parked').length;
  const waiting = Number(
    await rig.python(`
import garden
with garden.app.connection() as connection:
    print(connection.default_channel.queue_declare("parked", passive=True).message_count)`),
  );
  expect(waiting).toBe(parked);
  expect(parked).toBeGreaterThan(100);

  if (rig.worker.ended()) throw new Error(`the worker ended: ${rig.worker.log().slice(-1500)}`);
  expect(rig.worker.pid).toBe(pid);
  const parts = await rig.ask({
    ...{ kind: 'command', request_id: randomUUID(), by, command: { method: 'ping' }, workers: null, wait_ms: 2_000 },
  });
  expect(parts.filter((part) => part.kind === 'worker' && part.outcome === 'done').length).toBe(1);
  expect(rig.worker.log()).not.toMatch(/Unrecoverable|pidbox command error/);
}

const TOLD_OF_ONE = {
  ...{ name: 'garden.echo', args: '(1,)', kwargs: '{}', queue: 'celery', exchange: '', routingKey: 'celery' },
  ...{ eta: null, expires: null },
};

test.each(['redis', 'rabbitmq'] as const)(
  'ten thousand hostile tasks harm no worker on %s',
  async (kind) => {
    await using rig = await openTasksRig(kind);
    await using gateway = await startGateway(rig.natsUrl);
    await survives(rig, gateway);
  },
  600_000,
);
