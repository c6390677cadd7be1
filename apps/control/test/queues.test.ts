import { openBus, type Bus } from '@meadow/bus';
import {
  askControlSubject,
  BUCKETS,
  clusterDefinition,
  type AuditRecord,
  type ClusterDefinition,
  type ClusterDefinitionInput,
  type ControlPart,
  type ControlQuestionInput,
  type QueueSample,
} from '@meadow/contract';
import {
  celeryEnvironment,
  runPython,
  startCeleryWorker,
  startNats,
  startRabbitmq,
  startRedis,
  startService,
  waitFor,
  type CeleryWorker,
} from '@meadow/testkit';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const by = { actor: 'ann', signed_in: 'basic', address: '127.0.0.1', user_agent: 'test' } as const;
const never = new AbortController().signal;
const nodeOf = (name: string): string => `${name}@${hostname()}`;
const acting = () => ({ request_id: randomUUID(), by });
const patiently = { deadlineMs: 45_000, everyMs: 250 };

type PartOf<Kind extends ControlPart['kind']> = Extract<ControlPart, { kind: Kind }>;
/** By queue: messages that wait, and messages that workers hold where the broker tells that of one queue. */
type Truth = Readonly<Record<string, { readonly ready: number; readonly unacked: number }>>;

interface Broker extends AsyncDisposable {
  readonly url: string;
  readonly definition: Omit<ClusterDefinitionInput, 'name' | 'broker'>;
  /** Of the application. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** As the broker's own tools tell it. */
  truth(queues: readonly string[]): Promise<Truth>;
}

/** Redis with everything that can be set of the keys of its queues. */
async function redisBroker(): Promise<Broker> {
  const redis = await startRedis();
  const prefix = 'acme.';
  const transportOptions = { priority_steps: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], sep: ':', global_keyprefix: prefix };
  return {
    url: redis.url,
    definition: { transportOptions },
    settings: { broker_transport_options: { ...transportOptions, queue_order_strategy: 'priority' } },
    async truth(queues) {
      const script = `import json, redis, sys
r = redis.Redis.from_url(sys.argv[1])
held = [json.loads(value)[2] for value in r.hvals("${prefix}unacked")]
told = {}
for name in json.loads(sys.argv[2]):
    keys = ["${prefix}" + name] + ["${prefix}" + name + ":" + str(step) for step in range(1, 10)]
    told[name] = {"ready": sum(r.llen(key) for key in keys), "unacked": held.count(name)}
print(json.dumps(told))`;
      return JSON.parse(await runPython(script, { args: [redis.url, JSON.stringify(queues)] })) as Truth;
    },
    [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
  };
}

async function rabbitBroker(): Promise<Broker> {
  const rabbit = await startRabbitmq({ management: true });
  return {
    url: rabbit.amqpUrl,
    definition: { management: rabbit.managementUrl ?? '' },
    settings: {},
    async truth(queues) {
      const columns = ['name', 'messages_ready', 'messages_unacknowledged'];
      const rows = JSON.parse(await rabbit.rabbitmqctl(['list_queues', '--formatter', 'json', ...columns])) as Record<
        string,
        string | number
      >[];
      const known = new Map(rows.map((row) => [row['name'], row]));
      return Object.fromEntries(
        queues.map((name) => {
          const row = known.get(name);
          return [name, { ready: Number(row?.['messages_ready']), unacked: Number(row?.['messages_unacknowledged']) }];
        }),
      );
    },
    [Symbol.asyncDispose]: () => rabbit[Symbol.asyncDispose](),
  };
}

/** Control as a process of its own, and a cluster without workers. */
async function openRig(makeBroker: () => Promise<Broker>) {
  await using stack = new AsyncDisposableStack();
  const broker = stack.use(await makeBroker());
  const nats = stack.use(await startNats());
  const bus: Bus = stack.use(await openBus({ url: nats.url, name: 'test', signal: never }));
  await bus.events.ensure();
  const clusters = await bus.bucket<ClusterDefinition>(BUCKETS.clusters, (value) => clusterDefinition.parse(value));
  const define = (name: string, url: string, more: Broker['definition'] = {}): Promise<number> =>
    clusters.put(name, clusterDefinition.parse({ name, broker: url, ...more }));
  await define('garden', broker.url, broker.definition);
  const control = stack.use(await startService('control', { natsUrl: nats.url, clickhouseUrl: 'http://127.0.0.1:1' }));
  const stream = (question: ControlQuestionInput, cluster = 'garden') =>
    bus.requests.askInParts(askControlSubject(cluster), question, never) as AsyncGenerator<ControlPart>;
  const ask = async (question: ControlQuestionInput, cluster = 'garden'): Promise<ControlPart[]> => {
    const parts: ControlPart[] = [];
    for await (const part of stream(question, cluster)) parts.push(part);
    return parts;
  };
  const recordsOf = async <Record>(kind: 'audit' | 'queue'): Promise<Record[]> => {
    const records: Record[] = [];
    if ((await bus.events.state()).messages === 0) return records;
    for await (const batch of bus.events.read(0, AbortSignal.timeout(20_000))) {
      if (batch.kind === kind) {
        const lines = Buffer.from(batch.data).toString().trim().split('\n');
        records.push(...lines.map((line) => JSON.parse(line) as Record));
      }
      if (batch.pending === 0) break;
    }
    return records;
  };
  const answers = (): Promise<ControlPart[]> =>
    waitFor(() => ask({ kind: 'inspect', of: ['stats'], workers: [] }).then((parts) => [...parts, null]), {
      ...{ what: 'control to answer', ...patiently },
    }) as Promise<ControlPart[]>;
  await answers();
  const workers = new Set<CeleryWorker>();
  const kept = stack.move();
  return {
    ...{ broker, nats, bus, control, ask, stream, define },
    async figures(queues: readonly string[], cluster = 'garden') {
      const parts = await ask({ kind: 'queues', queues: [...queues] }, cluster);
      const told = parts.filter((part) => part.kind === 'queue');
      return {
        byName: Object.fromEntries(told.map(({ figures }) => [figures.name, figures])),
        paused: Object.fromEntries(told.map(({ figures, paused }) => [figures.name, paused])),
        looked: onlyOf(parts, 'looked'),
      };
    },
    /** What it ended with, and what each worker did, by its name. */
    async act(question: ControlQuestionInput) {
      const parts = await ask(question);
      const told = parts.filter((part) => part.kind === 'worker');
      return {
        end: onlyOf(parts, 'ended'),
        workers: Object.fromEntries(
          told.map(({ worker, outcome, words }) => [worker.split('@')[0], { outcome, words }]),
        ),
      };
    },
    async run(calls: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
      const { url: brokerUrl, settings } = broker;
      return runPython(`import garden\n${calls}`, { env: { ...celeryEnvironment({ brokerUrl, settings }), ...env } });
    },
    async start(name: string, queues: string, env: Readonly<Record<string, string>> = {}): Promise<CeleryWorker> {
      const { url: brokerUrl, settings } = broker;
      // unlike a solo pool it answers while it works
      const args = ['--pool', 'threads', '--concurrency', '1', '-Q', queues];
      const worker = await startCeleryWorker({ brokerUrl, settings, name, args, env });
      workers.add(worker);
      return worker;
    },
    /** A page has asked workers for their queues, and so many have told them. */
    async listened(count: number, cluster = 'garden'): Promise<void> {
      const told = async (): Promise<boolean> =>
        (await ask({ kind: 'inspect', of: ['active_queues'], workers: null }, cluster)).length >= count;
      await waitFor(told, { what: `${count} workers to tell their queues`, ...patiently });
    },
    async endWorkers(): Promise<void> {
      await Promise.all([...workers].map((worker) => worker.kill9()));
      workers.clear();
    },
    /** The records of what was done to queues, since so many of them. */
    async audit(since = 0): Promise<AuditRecord[]> {
      return (await recordsOf<AuditRecord>('audit')).filter(({ action }) => action.startsWith('queue.')).slice(since);
    },
    samples: () => recordsOf<QueueSample>('queue'),
    async restart(): Promise<void> {
      await control.restart();
      await answers();
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...workers].map((worker) => worker.kill9()));
      await kept.disposeAsync();
    },
  };
}

type Rig = Awaited<ReturnType<typeof openRig>>;

function onlyOf<Kind extends ControlPart['kind']>(parts: readonly ControlPart[], kind: Kind): PartOf<Kind> {
  const [only, ...more] = parts.filter((part): part is PartOf<Kind> => part.kind === kind);
  if (only === undefined || more.length > 0) throw new Error(`${more.length} more of ${kind}`);
  return only;
}

/** Many messages at once: `garden.add` as Celery writes it, with ids of their own. */
const many = (queue: string, count: number): string => `
import uuid
from kombu import Connection, Queue
with garden.app.connection_for_write() as connection:
    channel = connection.default_channel
    garden.app.amqp.queues["${queue}"].bind(channel).declare()
    producer = connection.Producer(channel)
    for n in range(${count}):
        id = str(uuid.uuid4())
        headers = {"lang": "py", "task": "garden.add", "id": id, "root_id": id, "argsrepr": "(1, 2)", "kwargsrepr": "{}",
                   "retries": 0, "eta": None, "expires": None, "group": None, "parent_id": None, "timelimit": [None, None]}
        producer.publish([[1, n], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}],
                         exchange="", routing_key="${queue}", serializer="json", headers=headers, correlation_id=id)
`;

function queues(makeBroker: () => Promise<Broker>): void {
  let rig: Rig;
  beforeAll(async () => (rig = await openRig(makeBroker)), 180_000);
  afterAll(() => rig[Symbol.asyncDispose](), 60_000);
  const isRedis = (): boolean => rig.broker.url.startsWith('redis');

  const bothTell = async (names: readonly string[], expected: Truth): Promise<void> => {
    // management counts every five seconds
    const told = async (): Promise<Truth> => {
      const { byName } = await rig.figures(names);
      return Object.fromEntries(
        names.map((name) => [name, { ready: byName[name]?.ready ?? -1, unacked: byName[name]?.unacked ?? -1 }]),
      );
    };
    const isSame = (truth: Truth): boolean => JSON.stringify(truth) === JSON.stringify(expected);
    await waitFor(async () => isSame(await rig.broker.truth(names)) && isSame(await told()), {
      ...{ what: `${JSON.stringify(expected)} by control`, ...patiently },
    }).catch(async (cause: unknown) => {
      expect({ told: await told(), truth: await rig.broker.truth(names), cause }).toEqual(expected);
    });
  };

  test('figures are the broker’s own with no worker, three, none and three again, and after a restart', async () => {
    const names = ['mail', 'idle'];
    const env = { GARDEN_QUEUES: JSON.stringify({ mail: { arguments: { 'x-max-priority': 9 } }, idle: {} }) };
    const threeWorkers = () => Promise.all(['a', 'b', 'c'].map((name) => rig.start(name, 'mail,idle', env)));
    await rig.run('for n in range(20): garden.add.apply_async((n, n), queue="mail", priority=n % 10)', env);
    await rig.run(many('idle', 0));
    await bothTell(names, { mail: { ready: 20, unacked: 0 }, idle: { ready: 0, unacked: 0 } });
    if (isRedis()) {
      const { byPriority } = (await rig.figures(['mail'])).byName['mail'] ?? {};
      expect(byPriority?.map(({ step, ready }) => [step, ready])).toEqual(
        [...Array(10).keys()].map((step) => [step, 2]),
      );
    }
    await threeWorkers();
    await bothTell(names, { mail: { ready: 0, unacked: 0 }, idle: { ready: 0, unacked: 0 } });
    await rig.run('for n in range(12): garden.linger.apply_async((300,), queue="mail", priority=n % 10)', env);
    await bothTell(names, { mail: { ready: 9, unacked: 3 }, idle: { ready: 0, unacked: 0 } });
    // an empty list is known by those that take from it: a page asks them, and the next look knows
    await rig.listened(3);
    const sampled = (since: number) => async () => {
      const samples = (await rig.samples()).filter(({ at }) => at > since);
      return names.every((name) => samples.some(({ queue }) => queue === name));
    };
    await waitFor(sampled(0), { what: 'samples of both queues', ...patiently });
    await rig.endWorkers();
    // Redis gives back what workers held only when its visibility timeout is over
    const held = isRedis() ? 3 : 0;
    await bothTell(names, { mail: { ready: 12 - held, unacked: held }, idle: { ready: 0, unacked: 0 } });
    if (isRedis()) {
      // nothing in Redis tells of the empty queue any more
      const drop =
        'import redis, sys; r = redis.Redis.from_url(sys.argv[1]); print(r.delete("acme._kombu.binding.idle"))';
      expect((await runPython(drop, { args: [rig.broker.url] })).trim()).toBe('1');
    }
    await rig.restart();
    const restartedAt = Date.now() / 1000;
    await waitFor(sampled(restartedAt), { what: 'samples of both queues after the restart', ...patiently });
    await bothTell(names, { mail: { ready: 12 - held, unacked: held }, idle: { ready: 0, unacked: 0 } });
    await threeWorkers();
    await bothTell(names, { mail: { ready: 9 - held, unacked: 3 + held }, idle: { ready: 0, unacked: 0 } });
    await rig.endWorkers();
  }, 240_000);

  test('a purge needs the queue’s name twice, tells how many were removed, and leaves a record', async () => {
    await rig.run('for n in range(12): garden.add.apply_async((n, n), queue="waste", task_id=f"waste-{n}")');
    await bothTell(['waste'], { waste: { ready: 12, unacked: 0 } });
    const before = (await rig.audit()).length;
    const wrong = rig.act({ kind: 'purge', ...acting(), queue: 'waste', confirm: 'Waste' });
    await expect(wrong).rejects.toThrow(/type the queue's name to confirm/);
    expect(await rig.broker.truth(['waste'])).toEqual({ waste: { ready: 12, unacked: 0 } });
    const { end } = await rig.act({ kind: 'purge', ...acting(), queue: 'waste', confirm: 'waste' });
    expect(end).toMatchObject({ outcome: 'done', count: 12 });
    expect(await rig.broker.truth(['waste'])).toEqual({ waste: { ready: 0, unacked: 0 } });
    const records = await rig.audit(before);
    expect(records.map(({ action, outcome, targets, actor }) => [action, outcome, ...targets, actor])).toEqual([
      ['queue.purge', 'refused', 'waste', 'ann'],
      ['queue.purge', 'begun', 'waste', 'ann'],
      ['queue.purge', 'done', 'waste', 'ann'],
    ]);
    expect(records[1]?.detail).toContain('12 messages before');
    expect(records[2]?.detail).toContain('12 messages removed');
    const sample = JSON.parse(records[1]?.answers ?? '') as { id: string; task: string }[];
    const first = [...Array(10).keys()].map((n) => ({ id: `waste-${n}`, task: 'garden.add' }));
    expect(sample).toEqual(isRedis() ? first : []);
  }, 90_000);

  test('what is no queue of tasks is not purged', async () => {
    const before = (await rig.audit()).length;
    for (const queue of ['celery_delayed_1', `x.reply.celery.pidbox`]) {
      const purge = rig.act({ kind: 'purge', ...acting(), queue, confirm: queue });
      await expect(purge).rejects.toThrow(/until their time has come|holds no tasks/);
    }
    expect((await rig.audit(before)).findLast(() => true)).toMatchObject({ action: 'queue.purge', outcome: 'refused' });
  });

  test('a single message is removed where the broker can', async () => {
    await rig.run('for n in range(3): garden.add.apply_async((n, n), queue="single", task_id=f"single-{n}")');
    await bothTell(['single'], { single: { ready: 3, unacked: 0 } });
    const peeked = await rig.ask({ kind: 'peek', queue: 'single', offset: 1, limit: 1 });
    const [message] = onlyOf(peeked, 'messages').peek.messages;
    expect(message?.task?.id).toBe('single-1');
    const handle = message?.handle ?? 'none';
    const remove = () => rig.act({ kind: 'remove', ...acting(), queue: 'single', handle });
    const before = (await rig.audit()).length;
    if (!isRedis()) {
      await expect(remove()).rejects.toThrow(/removes no single message/);
      return;
    }
    expect((await remove()).end).toMatchObject({ outcome: 'done', count: 1 });
    expect((await remove()).end).toMatchObject({ outcome: 'refused', count: 0 });
    const records = await rig.audit(before);
    expect(records.map(({ outcome }) => outcome)).toEqual(['begun', 'done', 'begun', 'refused']);
    expect(JSON.parse(records[0]?.answers ?? '')).toEqual([{ id: 'single-1', task: 'garden.add' }]);
    expect(await rig.broker.truth(['single'])).toEqual({ single: { ready: 2, unacked: 0 } });
  }, 60_000);

  test('messages are moved, and who moves them can stop it', async () => {
    const total = 20_000;
    await rig.run(many('here', total));
    await rig.run(many('there', 0));
    await bothTell(['here', 'there'], { here: { ready: total, unacked: 0 }, there: { ready: 0, unacked: 0 } });
    const before = (await rig.audit()).length;
    const move = { kind: 'move', from: 'here', to: 'there' } as const;
    let told = 0;
    for await (const part of rig.stream({ ...move, ...acting(), limit: null })) {
      if (part.kind !== 'progress') continue;
      expect(part.total).toBe(total);
      told = part.done;
      break;
    }
    expect(told).toBeGreaterThan(0);
    const stopped = await waitFor(async () => (await rig.audit(before)).find(({ outcome }) => outcome === 'stopped'), {
      what: 'the record of the stop',
      ...patiently,
    });
    expect(stopped).toMatchObject({ action: 'queue.move', targets: ['here', 'there'] });
    const moved = Number(/^(\d+) messages moved/.exec(stopped.detail)?.[1]);
    expect(moved).toBeGreaterThanOrEqual(told);
    expect(moved).toBeLessThan(total);
    const truth = { here: { ready: total - moved, unacked: 0 }, there: { ready: moved, unacked: 0 } };
    await bothTell(['here', 'there'], truth);
    const { end } = await rig.act({ ...move, ...acting(), limit: 100 });
    expect(end).toMatchObject({ outcome: 'done', count: 100 });
    const [same] = await Promise.allSettled([rig.act({ ...move, to: 'here', ...acting(), limit: null })]);
    expect(same).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringContaining('already') as string },
    });
    const outcomes = (await rig.audit(before)).map(({ outcome }) => outcome);
    expect(outcomes).toEqual(['begun', 'stopped', 'begun', 'done', 'begun', 'refused']);
  }, 180_000);

  test('a paused queue is left alone until it is resumed, also by the next replica', async () => {
    const limited = { arguments: { 'x-max-priority': 9 } };
    const known = { work: { exchange: 'tools', type: 'topic', routing_key: 'do.#' }, limited };
    const env = { GARDEN_QUEUES: JSON.stringify(known) };
    const taking = async (): Promise<Record<string, unknown>> => {
      const command = { method: 'active_queues' };
      const names = ['one', 'two', 'three'].map(nodeOf);
      const asking = { kind: 'command', ...acting(), command, workers: names, wait_ms: 1_000 } as const;
      const parts = (await rig.ask(asking)).filter((part) => part.kind === 'worker');
      const queueOf = (value: unknown) =>
        Array.isArray(value) ? (value as { name: string }[]).find(({ name }) => name === 'work') : undefined;
      return Object.fromEntries(parts.map(({ worker, value }) => [worker.split('@')[0], queueOf(value)]));
    };
    const send = (count: number) =>
      rig.run(`for n in range(${count}): garden.add.apply_async((n, n), queue="work")`, env);
    await Promise.all([rig.start('one', 'work,limited', env), rig.start('three', 'other')]);
    const two = await rig.start('two', 'work', env);
    await waitFor(async () => (await taking())['two'] !== undefined, { what: 'two workers', ...patiently });

    const before = (await rig.audit()).length;
    const nobody = rig.act({ kind: 'pause', ...acting(), queue: 'nobody-takes-this' });
    await expect(nobody).rejects.toThrow(/none of the 3 that answered takes from it/);
    const nothing = rig.act({ kind: 'resume', ...acting(), queue: 'work', workers: [] });
    await expect(nothing).rejects.toThrow(/was not paused here: name the workers/);
    const pause = await rig.act({ kind: 'pause', ...acting(), queue: 'work' });
    expect(pause.workers).toEqual({
      one: { outcome: 'done', words: 'it takes no more from it' },
      two: { outcome: 'done', words: 'it takes no more from it' },
    });
    expect(pause.end).toMatchObject({ outcome: 'done' });
    expect(pause.end.detail).toContain('a worker that is started anew takes from the queue again');
    expect(await taking()).toMatchObject({ one: undefined, two: undefined });
    await send(5);
    await bothTell(['work'], { work: { ready: 5, unacked: 0 } });
    await expect(rig.act({ kind: 'pause', ...acting(), queue: 'work' })).rejects.toThrow(/is paused already/);

    await rig.control.kill9();
    await rig.restart();
    const paused = (await rig.figures(['work'])).paused['work'];
    expect(paused).toMatchObject({ actor: 'ann' });
    expect(paused?.workers.toSorted()).toEqual([nodeOf('one'), nodeOf('two')]);
    expect(await rig.broker.truth(['work'])).toEqual({ work: { ready: 5, unacked: 0 } });
    const resume = await rig.act({ kind: 'resume', ...acting(), queue: 'work', workers: [nodeOf('three')] });
    const done = { outcome: 'done', words: 'it takes from it' };
    expect(resume.workers).toEqual({ one: done, two: done, three: done });
    await bothTell(['work'], { work: { ready: 0, unacked: 0 } });
    expect((await rig.figures(['work'])).paused['work']).toBeNull();
    // who did not know the queue was told how the others know it
    expect((await taking())['three']).toMatchObject({
      exchange: { name: 'tools', type: 'topic' },
      routing_key: 'do.#',
    });
    const records = await rig.audit(before);
    expect(records.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual([
      ...['queue.pause refused', 'queue.resume refused', 'queue.pause begun', 'queue.pause done'],
      ...['queue.pause refused', 'queue.resume begun', 'queue.resume done'],
    ]);
    expect(JSON.parse(records[3]?.answers ?? '')).toHaveLength(2);

    // who would declare the queue otherwise than it is does not hear of it
    const unsuited = await rig.act({ kind: 'resume', ...acting(), queue: 'limited', workers: [nodeOf('three')] });
    expect(unsuited.workers).toMatchObject({ three: { outcome: 'refused' } });
    expect(unsuited.end).toMatchObject({ outcome: 'refused' });

    // one that is gone is told as such, and stays remembered; the queue is no longer paused all the same
    expect((await rig.act({ kind: 'pause', ...acting(), queue: 'work' })).end).toMatchObject({ outcome: 'done' });
    await two.kill9();
    const partly = await rig.act({ kind: 'resume', ...acting(), queue: 'work', workers: [] });
    expect(partly.workers).toMatchObject({ one: done, two: { outcome: 'silent' }, three: done });
    expect(partly.end).toMatchObject({ outcome: 'partly' });
    expect(partly.end.detail).toContain('1 worker stays remembered');
    expect((await rig.figures(['work'])).paused['work']).toBeNull();
    await rig.start('two', 'work', env);
    const last = await rig.act({ kind: 'resume', ...acting(), queue: 'work', workers: [] });
    expect(last.workers).toEqual({ two: done });
    await expect(rig.act({ kind: 'resume', ...acting(), queue: 'work', workers: [] })).rejects.toThrow(/not paused/);
    await rig.endWorkers();
  }, 240_000);

  test('secrets in messages that wait are hidden, and hostile ones are shown for what they are', async () => {
    await rig.run(`
garden.echo.apply_async(("ok",), {"password": "hunter2", "note": "plain"}, queue="odd")
garden.echo.apply_async(({"api_token": "hunter2"},), {"url": "redis://me:hunter2@host/0"}, queue="odd")
garden.echo.apply_async(("x" * 5000, {"secret": "hunter2" * 1000}), {}, queue="odd", argsrepr="{'pwd': 'hunter2', 'x':")
with garden.app.connection_for_write() as connection:
    producer = connection.Producer(connection.default_channel)
    def send(body, type="application/json", **headers):
        producer.publish(body, exchange="", routing_key="odd", content_type=type, content_encoding="utf-8", headers=headers)
    send('not json')
    send('[' * 100000)
    send('[["\\\\ud800", "password=hunter2"], {"\\\\u0000": 1}, null]', task="garden.echo", id="password=hunter2")
    send(b'\\x80\\x04\\x95cos\\nsystem\\n', 'application/x-python-serialize', task="garden.echo", id="1")
    send('[[], {}, {}]', 'text/"password=hunter2"', task=["a"], id={"b": 1})
    send('[[], {}, {}]', task="password=hunter2 " + "t" * 90000, id="2", origin="token=hunter2", shadow="secret: hunter2")
`);
    await bothTell(['odd'], { odd: { ready: 9, unacked: 0 } });
    const parts = await rig.ask({ kind: 'peek', queue: 'odd', offset: 0, limit: 100 });
    const { peek } = onlyOf(parts, 'messages');
    expect(peek).toMatchObject({ ready: 9, requeues: !isRedis() });
    expect(peek.messages).toHaveLength(9);
    expect(peek.messages[0]).toMatchObject({ task: { task: 'garden.echo' }, problem: null });
    expect(peek.messages[0]?.kwargs?.text).toContain('plain');
    expect(peek.messages.filter(({ problem }) => problem !== null).length).toBeGreaterThanOrEqual(4);
    expect(JSON.stringify(parts)).not.toContain('hunter2');
    expect(JSON.stringify(await rig.ask({ kind: 'queues', queues: ['odd'] }))).not.toContain('hunter2');
    const { end } = await rig.act({ kind: 'purge', ...acting(), queue: 'odd', confirm: 'odd' });
    expect(end).toMatchObject({ outcome: 'done', count: 9 });
    expect(JSON.stringify(await rig.audit())).not.toContain('hunter2');
  }, 90_000);

  test('the broker’s facts are told', async () => {
    const { facts, looked } = onlyOf(await rig.ask({ kind: 'broker' }), 'server');
    expect(facts).toMatchObject({
      kind: isRedis() ? 'redis' : 'amqp',
      version: expect.stringMatching(/^\d/) as string,
    });
    expect(looked).toMatchObject({ degraded: null });
  });
}

describe('over redis', () => queues(redisBroker));
describe('over rabbitmq', () => queues(rabbitBroker));

test('however many look on, a broker is asked every two seconds', async () => {
  await using rig = await openRig(redisBroker);
  const calls = async (): Promise<number> => {
    const script =
      'import redis, sys; r = redis.Redis.from_url(sys.argv[1])\nprint(r.info("commandstats")["cmdstat_llen"]["calls"])';
    return Number(await runPython(script, { args: [rig.broker.url] }));
  };
  await rig.figures(['a', 'b']);
  const before = await calls();
  const began = performance.now();
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 30 }, (_, index) => rig.figures(index % 2 === 0 ? ['a', 'b'] : ['b'])));
  }
  // ten lists of each of two queues at each look
  const looks = 2 + (performance.now() - began) / 2_000;
  expect((await calls()) - before).toBeLessThanOrEqual(20 * Math.ceil(looks));
}, 60_000);

test('RabbitMQ without its management API tells what AMQP tells, and names are kept over a restart', async () => {
  await using rig = await openRig(rabbitBroker);
  await rig.define('blind', rig.broker.url, { management: 'http://127.0.0.1:1' });
  await rig.run('for n in range(4): garden.add.apply_async((n, n), queue="mail")');
  const told = await waitFor(() => rig.figures(['mail', 'no-such'], 'blind'), { what: 'figures', ...patiently });
  expect(told.byName['mail']).toMatchObject({ ready: 4, unacked: null, consumers: 0, source: 'amqp' });
  expect(told.byName['no-such']).toMatchObject({ exists: false, ready: null });
  expect(told.looked.degraded).toMatchObject({ code: 'BROKER_MANAGEMENT_UNREACHABLE' });
  expect(JSON.stringify(told)).not.toContain('guest:guest');
  const { looked } = onlyOf(await rig.ask({ kind: 'broker' }, 'blind'), 'server');
  expect(looked.degraded).toMatchObject({ code: 'BROKER_MANAGEMENT_UNREACHABLE' });

  const worker = await rig.start('one', 'mail');
  await rig.listened(1, 'blind');
  const sampled = (since: number) => async () =>
    (await rig.samples()).some(({ cluster, queue, at }) => cluster === 'blind' && queue === 'mail' && at > since);
  await waitFor(sampled(0), { what: 'a sample of the worker’s queue', ...patiently });
  await worker.kill9();
  await rig.restart();
  await waitFor(sampled(Date.now() / 1000), { what: 'a sample with nobody to name the queue', ...patiently });
}, 180_000);

test('a broker that says nothing is told as such in time', async () => {
  await using rig = await openRig(redisBroker);
  const hole = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(hole, 'listening');
  const { port } = hole.address() as AddressInfo;
  const questions: ControlQuestionInput[] = [
    { kind: 'queues', queues: ['celery'] },
    { kind: 'peek', queue: 'celery', offset: 0, limit: 10 },
    { kind: 'broker' },
    { kind: 'purge', ...acting(), queue: 'celery', confirm: 'celery' },
    { kind: 'move', ...acting(), from: 'celery', to: 'other', limit: null },
    { kind: 'pause', ...acting(), queue: 'celery' },
    { kind: 'resume', ...acting(), queue: 'celery', workers: ['w@h'] },
  ];
  for (const scheme of ['redis', 'amqp']) {
    await rig.define(scheme, `${scheme}://127.0.0.1:${port}/`);
    await waitFor(() => rig.ask({ kind: 'inspect', of: ['stats'], workers: [] }, scheme).then(() => true, (error: Error) => /says nothing|did not answer|no answer/.test(error.message)), { what: 'control to answer', ...patiently }); // prettier-ignore
    const began = performance.now();
    const told = await Promise.allSettled(questions.map((question) => rig.ask(question, scheme)));
    expect(performance.now() - began).toBeLessThan(15_000);
    expect(told.map((each) => each.status)).toEqual(questions.map(() => 'rejected'));
  }
  const outcomes = (await rig.audit()).map(({ outcome }) => outcome);
  expect(outcomes).toEqual(Array(8).fill('failed'));
  hole.close();
}, 120_000);
