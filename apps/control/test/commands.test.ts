import { openBus } from '@meadow/bus';
import {
  askControlSubject,
  BUCKETS,
  clusterDefinition,
  queueSample,
  type ClusterDefinition,
  type ControlPart,
  type ControlQuestionInput,
  type InspectionPart,
} from '@meadow/contract';
import {
  celeryEnvironment,
  runPython,
  startCeleryWorker,
  startMeadow,
  startRedis,
  startService,
  waitFor,
} from '@meadow/testkit';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { by, never, nodeOf, openRig, startRabbit, type Command, type Rig, type RigBroker } from './commands-rig.ts';

function commands(broker: () => Promise<RigBroker>): void {
  let rig: Rig;
  beforeAll(async () => (rig = await openRig(await broker())), 180_000);
  afterAll(() => rig[Symbol.asyncDispose](), 60_000);

  test('what each worker did is told, and both the request and its end are recorded', async () => {
    const { request_id, workers, end } = await rig.tell({ method: 'pool_grow', n: 1 }, ['pre', 'thr']);
    expect(workers['pre']).toMatchObject({ outcome: 'done', words: 'pool will grow' });
    expect(workers['thr']).toMatchObject({ outcome: 'refused', words: expect.stringContaining('grow') as string });
    expect(end).toMatchObject({ outcome: 'partly', detail: '1 of 2 workers did it, 1 refused' });
    const records = (await rig.audit()).filter((record) => record.request_id === request_id);
    expect(records.map(({ outcome }) => outcome)).toEqual(['begun', 'partly']);
    expect(records[1]).toMatchObject({
      ...{ actor: 'ann', action: 'pool_grow', target_kind: 'worker', arguments: '{"n":1}', cluster: 'garden' },
    });
    expect(JSON.parse(records[1]?.answers ?? '')).toHaveLength(2);
    await waitFor(
      async () =>
        ((await rig.inspect('stats', 'pre')) as { pool: { processes: number[] } }).pool.processes.length === 3,
      { what: 'a pool of three', everyMs: 200 },
    );
  }, 30_000);

  test('consumers come and go', async () => {
    const names = async (): Promise<string> => JSON.stringify(await rig.inspect('active_queues', 'thr'));
    expect((await rig.tell({ method: 'add_consumer', queue: 'weeds' }, ['thr'])).end).toMatchObject({
      outcome: 'done',
    });
    await waitFor(async () => (await names()).includes('"weeds"'), { what: 'the queue', everyMs: 200 });
    expect((await rig.tell({ method: 'cancel_consumer', queue: 'weeds' }, ['thr'])).end).toMatchObject({
      outcome: 'done',
    });
    await waitFor(async () => !(await names()).includes('"weeds"'), { what: 'the end of the queue', everyMs: 200 });
  }, 30_000);

  test('a time limit is set without clearing the other', async () => {
    const limits = async (): Promise<unknown> => {
      const parts = await rig.ask({
        ...{ kind: 'command', request_id: randomUUID(), by, workers: [nodeOf('pre')] },
        command: { method: 'registered', taskinfoitems: ['soft_time_limit', 'time_limit'] },
      });
      const told = parts.find((part) => part.kind === 'worker')?.value as string[];
      return told.find((text) => text.startsWith('garden.add'));
    };
    const set = (more: object) => rig.tell({ method: 'time_limit', task_name: 'garden.add', ...more }, ['pre']);
    expect((await set({ soft: 20 })).end).toMatchObject({ outcome: 'done' });
    expect(await limits()).toBe('garden.add [soft_time_limit=20]');
    await set({ hard: 30 });
    expect(await limits()).toBe('garden.add [soft_time_limit=20 time_limit=30]');
    await set({ soft: null });
    expect(await limits()).toBe('garden.add [time_limit=30]');
    const other = await rig.tell({ method: 'time_limit', task_name: 'no.such', soft: 1 }, ['pre']);
    expect(other.workers['pre']).toMatchObject({
      outcome: 'silent',
      words: 'it does not know this task: nothing was sent',
    });
  }, 30_000);

  test('what is refused here reaches no worker, and is recorded', async () => {
    const before = (await rig.audit()).length;
    const refused: [Command, readonly string[] | null, RegExp][] = [
      [{ method: 'add_consumer', queue: '' }, ['pre'], /queue is empty/],
      [{ method: 'shutdown' }, null, /name those that it is for/],
      [{ method: 'rate_limit', task_name: 'garden.add', rate_limit: 'fast' }, ['pre'], /a rate is a number/],
      [{ method: 'eval', code: '1' }, ['pre'], /method/],
      [{ method: 'pool_grow', n: 1, extra: true }, ['pre'], /extra/],
    ];
    for (const [command, names, words] of refused) {
      await expect(rig.tell(command, names)).rejects.toThrow(words);
    }
    const records = (await rig.audit()).slice(before);
    expect(records.map(({ action, outcome }) => [action, outcome])).toEqual(
      refused.map(([{ method }]) => [method, 'refused']),
    );
    expect((await rig.tell({ method: 'ping' }, ['pre', 'thr'])).end).toMatchObject({ outcome: 'done' });
  });

  test('a worker that stands still is told as silent', async () => {
    const pid = rig.workers.get('pre')?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    try {
      const { workers, end } = await rig.tell({ method: 'enable_events' }, ['pre', 'thr', 'gone'], 1_000);
      expect([workers['pre']?.outcome, workers['thr']?.outcome, workers['gone']?.outcome]).toEqual([
        ...['silent', 'done', 'silent'],
      ]);
      expect(end).toMatchObject({ outcome: 'partly', detail: '1 of 3 workers did it, 2 did not answer' });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  test('secrets in what workers tell are hidden', async () => {
    const conf = (await rig.ask({ kind: 'inspect', of: ['conf'], workers: [nodeOf('thr')] })) as InspectionPart[];
    expect(conf).toHaveLength(1);
    expect(conf[0]).toMatchObject({ of: 'conf', worker: nodeOf('thr'), error: null });
    expect(JSON.stringify(conf[0]?.value)).not.toContain('guest:guest');
  });

  test('of a list that is too long the first are told, and how many more there are', async () => {
    const CHUNKS = 30;
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      const task_id = Array.from({ length: 1_000 }, (_, n) => `${chunk}-${n}-`.padEnd(36, '0'));
      await rig.tell({ method: 'revoke', task_id }, ['thr']);
    }
    const told = await waitFor(
      async () => {
        const [part] = await rig.ask({ kind: 'inspect', of: ['revoked'], workers: [nodeOf('thr')] });
        return part?.kind === 'inspection' && part.omitted > 0 ? part : null;
      },
      { what: 'what it remembers', deadlineMs: 60_000, everyMs: 500 },
    );
    const ids = told.value as string[];
    expect(ids.length).toBeGreaterThan(20_000);
    expect(JSON.stringify(ids).length).toBeLessThan(1_000_001);
    expect(new Set(ids).size + told.omitted).toBeGreaterThanOrEqual(CHUNKS * 1_000);
  }, 120_000);

  test('nobody waits for an answer of a worker that has none', async () => {
    const began = performance.now();
    const parts = await rig.ask({ kind: 'inspect', of: ['active', 'stats'], workers: [nodeOf('nobody')] });
    expect(parts).toMatchObject([
      { of: 'active', at: null, value: null },
      { of: 'stats', at: null, value: null },
    ]);
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  test('queues are looked at, and what is seen goes the way of events', async () => {
    const sample = await waitFor(
      async () => (await rig.samples()).findLast(({ queue, ready }) => queue === 'nobody-takes-these' && ready === 7),
      { what: 'a sample of the queue', deadlineMs: 40_000, everyMs: 500 },
    );
    expect(queueSample.parse(sample)).toMatchObject({ cluster: 'garden' });
  }, 60_000);

  test('a revoke tells where the task is, and terminating ends it', async () => {
    await runPython('import garden; garden.slow.apply_async((120, 120), task_id="long-one")', {
      env: celeryEnvironment({ brokerUrl: rig.brokerUrl }),
    });
    const active = async (): Promise<string> => {
      const parts = await rig.ask({
        ...{ kind: 'command', request_id: randomUUID(), by, command: { method: 'active' }, workers: null },
        wait_ms: 1_000,
      });
      return JSON.stringify(parts);
    };
    await waitFor(async () => (await active()).includes('long-one'), { what: 'the task to run', everyMs: 200 });
    const plain = await rig.tell({ method: 'revoke', task_id: ['long-one'] }, null, 2_000);
    expect(plain.end?.detail).toContain('1 running and not stopped by this: terminate would');
    expect(plain.end?.detail).toContain('workers that come in the next 30 minutes are told too');
    const ended = await rig.tell({ method: 'revoke', task_id: ['long-one'], terminate: true }, null, 2_000);
    // threads cannot be ended from outside: where such a worker has it, that is its answer
    const hadIt = ended.workers['pre']?.words.includes('long-one') === true ? 'pre' : 'thr';
    if (hadIt === 'pre') {
      await waitFor(async () => !(await active()).includes('long-one'), { what: 'the end of the task', everyMs: 200 });
    }
    const nobody = await rig.tell({ method: 'revoke', task_id: ['no-such-task'] }, null, 2_000);
    expect(nobody.end?.detail).toContain('1 in no worker now: dropped when delivered, unless finished before');
    const records = (await rig.audit()).filter(({ action }) => action === 'revoke');
    expect(records.map(({ target_kind, targets }) => [target_kind, ...targets])).toContainEqual([
      'task',
      'no-such-task',
    ]);
  }, 60_000);

  test('a shutdown is done when the worker answers no more', async () => {
    await rig.start('end', ['--pool', 'solo']);
    const { workers, end } = await rig.tell({ method: 'shutdown' }, ['end'], 20_000);
    expect(workers['end']).toMatchObject({ outcome: 'done' });
    expect(end).toMatchObject({ outcome: 'done' });
    await waitFor(() => rig.workers.get('end')?.ended() === true, {
      what: 'the end of the worker',
      deadlineMs: 20_000,
      everyMs: 200,
    });
  }, 60_000);
}

describe('over redis', () => commands(startRedis));
describe('over rabbitmq', () => commands(startRabbit));

test('another replica takes over when the first is killed', async () => {
  await using rig = await openRig(await startRedis());
  await using _second = await startService('control', { natsUrl: rig.nats.url, clickhouseUrl: 'http://127.0.0.1:1' });
  await rig.control.kill9();
  const ping = () => rig.tell({ method: 'ping' }, ['pre']);
  await waitFor(async () => (await ping().catch(() => null))?.end?.outcome === 'done', {
    ...{ what: 'an answer of the other', deadlineMs: 20_000, everyMs: 250 },
  });
}, 120_000);

test('a cluster whose broker swallows everything is told so in time', async () => {
  await using rig = await openRig(await startRedis());
  const clusters = await rig.bus.bucket<ClusterDefinition>(BUCKETS.clusters, (value) => clusterDefinition.parse(value));
  await clusters.put('hole', clusterDefinition.parse({ name: 'hole', broker: 'redis://127.0.0.1:1/0' }));
  const question: ControlQuestionInput = { kind: 'inspect', of: ['stats'], workers: null };
  const told = async (): Promise<string> => {
    try {
      for await (const _ of rig.bus.requests.askInParts(askControlSubject('hole'), question, never));
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  await waitFor(async () => (await told()).includes('not reachable'), { what: 'the reason', everyMs: 200 });
}, 120_000);

test('a worker that comes later is told of a revoke, also by the replica that took over', async () => {
  await using redis = await startRedis();
  const clusters = [{ name: 'garden', broker: redis.url }];
  await using meadow = await startMeadow({ services: ['aggregator', 'collector', 'control'], clusters });
  await using bus = await openBus({ url: meadow.nats.url, name: 'test', signal: never });
  const ask = async (question: ControlQuestionInput): Promise<ControlPart[]> => {
    const parts: ControlPart[] = [];
    for await (const part of bus.requests.askInParts(askControlSubject('garden'), question, never)) {
      parts.push(part as ControlPart);
    }
    return parts;
  };
  const command = { method: 'revoke', task_id: ['to-be-dropped'] };
  const revoke: ControlQuestionInput = {
    kind: 'command',
    request_id: randomUUID(),
    by,
    command,
    workers: null,
    wait_ms: 500,
  };
  await waitFor(() => ask(revoke).catch(() => null), { what: 'control to answer', deadlineMs: 20_000, everyMs: 200 });
  const knows = async (name: string): Promise<boolean> => {
    const parts = await ask({
      ...{ kind: 'command', request_id: randomUUID(), by, command: { method: 'revoked' }, workers: [nodeOf(name)] },
    });
    return JSON.stringify(parts).includes('to-be-dropped');
  };
  const later = { deadlineMs: 30_000, everyMs: 500 };
  await using _first = await startCeleryWorker({
    brokerUrl: redis.url,
    name: 'later',
    args: ['--pool', 'solo', '--without-mingle'],
  });
  await waitFor(() => knows('later'), { what: 'the revoke at the worker that came later', ...later });

  await meadow.services.control?.kill9();
  await using _second = await startService('control', {
    natsUrl: meadow.nats.url,
    clickhouseUrl: meadow.clickhouse.url,
  });
  await using _last = await startCeleryWorker({
    brokerUrl: redis.url,
    name: 'last',
    args: ['--pool', 'solo', '--without-mingle'],
  });
  await waitFor(() => knows('last').catch(() => false), { what: 'the revoke at the last worker', ...later });
}, 180_000);
