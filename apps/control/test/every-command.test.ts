import { openEventSource, payloadOf } from '@meadow/broker';
import { amqpEnvelope, decodeEvents, decodeRedisEnvelope } from '@meadow/celery';
import { clusterDefinition } from '@meadow/contract';
import { celeryEnvironment, runPython, startRedis, waitFor } from '@meadow/testkit';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRig, startRabbit, type Command, type Rig } from './commands-rig.ts';

/** A worker of each kind, each with a queue of its own name. None tells of itself unless it is told to. */
const WORKERS = {
  pre: [['--concurrency', '2', '-Q', 'pre'], { worker_pool_restarts: true, worker_send_task_events: false }],
  auto: [['--autoscale', '3,1', '-Q', 'auto'], { worker_send_task_events: false }],
  thr: [['--pool', 'threads', '--concurrency', '2', '-Q', 'thr'], { worker_send_task_events: false }],
  solo: [['--pool', 'solo', '-Q', 'solo', '--without-heartbeat'], { worker_send_task_events: false }],
} as const;
const ALL = Object.keys(WORKERS);

interface Stats {
  readonly pool: { readonly processes: readonly number[] };
  readonly autoscaler: { readonly max: number; readonly min: number };
}

describe.each([
  ['redis', startRedis],
  ['rabbitmq', startRabbit],
] as const)('every command over %s', (_name, startBroker) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await openRig(await startBroker(), WORKERS);
  }, 180_000);
  afterAll(() => rig[Symbol.asyncDispose](), 60_000);

  const python = (script: string): Promise<string> =>
    runPython(`import garden\n${script}`, { env: celeryEnvironment({ brokerUrl: rig.brokerUrl }) });
  /** What the workers named did, in a word each. */
  const did = async (command: Command, names: readonly string[]): Promise<Record<string, string>> => {
    const { workers } = await rig.tell(command, names);
    return Object.fromEntries(names.map((name) => [name, workers[name]?.outcome ?? 'not told']));
  };
  const answerOf = async (command: Command, name: string): Promise<unknown> =>
    (await rig.tell(command, [name])).workers[name]?.value;
  const stats = async (name: string): Promise<Stats> => (await answerOf({ method: 'stats' }, name)) as Stats;
  const until = (what: string, found: () => Promise<boolean>): Promise<unknown> =>
    waitFor(found, { what, deadlineMs: 30_000, everyMs: 200 });
  const has = async (method: string, name: string, text: string): Promise<boolean> =>
    JSON.stringify(await answerOf({ method }, name)).includes(text);

  test('ping, clock, conf, stats, registered, report and active_queues are answered by every kind of pool', async () => {
    expect(await did({ method: 'ping' }, ALL)).toEqual({ pre: 'done', auto: 'done', thr: 'done', solo: 'done' });
    for (const name of ALL) {
      expect(await answerOf({ method: 'ping' }, name)).toEqual({ ok: 'pong' });
      expect(await answerOf({ method: 'clock' }, name)).toEqual({ clock: expect.any(Number) as number });
      expect(await answerOf({ method: 'conf' }, name)).toMatchObject({ task_send_sent_event: true });
      expect(await answerOf({ method: 'registered' }, name)).toContain('garden.add');
      expect(await answerOf({ method: 'report' }, name)).toMatchObject({
        ok: expect.stringContaining('celery:5') as string,
      });
      expect(await answerOf({ method: 'stats' }, name)).toMatchObject({ pid: rig.workers.get(name)?.pid });
      expect(await has('active_queues', name, `"name":"${name}"`)).toBe(true);
    }
    const { workers } = await rig.tell({ method: 'memsample' }, ['pre']);
    // its figure needs psutil, which a worker may lack: then it says so
    expect(['done', 'refused']).toContain(workers['pre']?.outcome);
  }, 60_000);

  test('active, reserved, scheduled and query_task tell where tasks are', async () => {
    await python(
      [
        ...['runs-1', 'runs-2', 'waits'].map(
          (id) => `garden.slow.apply_async((8, 4), task_id="${id}", queue="pre", countdown=0)`,
        ),
        'garden.add.apply_async((1, 1), task_id="later", queue="pre", countdown=600)',
      ].join('\n'),
    );
    await until('what runs', async () => (await has('active', 'pre', 'runs-1')) && has('active', 'pre', 'runs-2'));
    await until('what waits', () => has('reserved', 'pre', 'waits'));
    await until('what is for later', () => has('scheduled', 'pre', 'later'));
    expect(await answerOf({ method: 'query_task', ids: ['runs-1', 'waits', 'nobody-has-it'] }, 'pre')).toEqual({
      'runs-1': ['active', expect.anything()],
      waits: ['reserved', expect.anything()],
    });
    expect((await rig.tell({ method: 'revoke', task_id: ['later', 'waits'] }, ['pre'])).end?.outcome).toBe('done');
    await until('what it remembers', () => has('revoked', 'pre', 'waits'));
    await until(
      'nothing to run',
      async () => ((await answerOf({ method: 'active' }, 'pre')) as unknown[]).length === 0,
    );
    // the one that waited was dropped when its turn came
    await until('nothing to wait', async () => !(await has('reserved', 'pre', 'waits')));
  }, 90_000);

  test('pools grow and shrink where they can, and say so where they cannot', async () => {
    const size = async (): Promise<number> => (await stats('pre')).pool.processes.length;
    expect(await did({ method: 'pool_grow', n: 2 }, ['pre', 'thr', 'solo'])).toEqual({
      ...{ pre: 'done', thr: 'refused', solo: 'refused' },
    });
    await until('four processes', async () => (await size()) === 4);
    expect(await did({ method: 'pool_shrink', n: 3 }, ['pre', 'thr', 'solo'])).toEqual({
      ...{ pre: 'done', thr: 'refused', solo: 'refused' },
    });
    await until('one process', async () => (await size()) === 1);
    await did({ method: 'pool_grow', n: 1 }, ['pre']);
    await until('two processes', async () => (await size()) === 2);
  }, 60_000);

  test('a pool is restarted where that is switched on', async () => {
    const before = (await stats('pre')).pool.processes;
    expect(await did({ method: 'pool_restart' }, ['pre', 'auto'])).toEqual({ pre: 'done', auto: 'refused' });
    // a process is replaced when it has run its next task
    await until('other processes', async () => {
      await python('for n in range(4): garden.slow.apply_async((0.2, 1), queue="pre")');
      const now = (await stats('pre')).pool.processes;
      return now.length === 2 && now.every((pid) => !before.includes(pid));
    });
  }, 60_000);

  test('an autoscaler takes another range', async () => {
    expect(await did({ method: 'autoscale', max: 4, min: 2 }, ['auto', 'pre', 'thr', 'solo'])).toEqual({
      ...{ auto: 'done', pre: 'refused', thr: 'refused', solo: 'refused' },
    });
    await until('the range', async () => {
      const { autoscaler } = await stats('auto');
      return autoscaler.max === 4 && autoscaler.min === 2;
    });
    await until('its least', async () => (await stats('auto')).pool.processes.length >= 2);
  }, 60_000);

  test('consumers come and go in every kind of pool', async () => {
    const takes = async (name: string): Promise<boolean> => has('active_queues', name, '"name":"weeds"');
    expect((await rig.tell({ method: 'add_consumer', queue: 'weeds' }, ALL)).end?.outcome).toBe('done');
    for (const name of ALL) await until(`${name} to take from it`, () => takes(name));
    expect((await rig.tell({ method: 'cancel_consumer', queue: 'weeds' }, ALL)).end?.outcome).toBe('done');
    for (const name of ALL) await until(`${name} to leave it`, async () => !(await takes(name)));
  }, 90_000);

  test('rate limits and time limits are what the task has then', async () => {
    const limits = async (name: string): Promise<string | undefined> => {
      const taskinfoitems = ['rate_limit', 'soft_time_limit', 'time_limit'];
      const told = (await answerOf({ method: 'registered', taskinfoitems }, name)) as string[];
      return told.find((text) => text.startsWith('garden.add'));
    };
    expect(await did({ method: 'rate_limit', task_name: 'garden.add', rate_limit: '90/m' }, ALL)).toEqual({
      ...{ pre: 'done', auto: 'done', thr: 'done', solo: 'done' },
    });
    for (const name of ALL) expect(await limits(name)).toBe('garden.add [rate_limit=90/m]');
    await did({ method: 'time_limit', task_name: 'garden.add', soft: 20, hard: 30 }, ALL);
    for (const name of ALL) {
      expect(await limits(name)).toBe('garden.add [rate_limit=90/m soft_time_limit=20 time_limit=30]');
    }
    // at one a minute the second waits
    await did({ method: 'rate_limit', task_name: 'garden.echo', rate_limit: '1/m' }, ['thr']);
    await python('for n in range(3): garden.echo.apply_async((n,), queue="thr")');
    await until('the first', () => has('stats', 'thr', '"garden.echo":1'));
    await delay(1_500);
    expect(await has('stats', 'thr', '"garden.echo":1')).toBe(true);
  }, 60_000);

  test('events are switched on and off, and a heartbeat comes when it is asked for', async () => {
    const definition = clusterDefinition.parse({ name: 'garden', broker: rig.brokerUrl });
    const heard: string[] = [];
    const ended = new AbortController();
    await using source = await openEventSource(definition, { signal: ended.signal, onGap: () => undefined });
    const listening = (async () => {
      for await (const { deliveries, settle } of source.bursts) {
        for (const delivery of deliveries) {
          const isRedis = delivery.kind === 'redis';
          const envelope = isRedis ? decodeRedisEnvelope(payloadOf(delivery)) : amqpEnvelope(delivery);
          for (const event of decodeEvents(envelope).events) {
            const freq = 'freq' in event ? ` ${String(event.freq)}` : '';
            heard.push(`${event.hostname.split('@')[0]} ${event.type}${freq}`);
          }
        }
        settle();
      }
    })();
    await until('the subscription', async () => source.ready);
    const run = (id: string): Promise<string> =>
      python(`garden.add.apply_async((1, 1), task_id="${id}", queue="solo")`);
    const ran = async (): Promise<unknown> => ((await stats('solo')) as unknown as { total: object }).total;
    const told = (): boolean => heard.some((line) => line.startsWith('solo task-'));

    expect(await did({ method: 'enable_events' }, ['solo'])).toEqual({ solo: 'done' });
    await run('told');
    await until('its events', async () => told());
    expect(await did({ method: 'heartbeat' }, ['solo'])).toEqual({ solo: 'done' });
    // one that comes by itself has another interval, and this worker sends none
    await until('the heartbeat', async () => heard.includes('solo worker-heartbeat 5'));
    expect(await did({ method: 'disable_events' }, ['solo'])).toEqual({ solo: 'done' });
    heard.length = 0;
    const before = JSON.stringify(await ran());
    await run('untold');
    await until('it to have run', async () => JSON.stringify(await ran()) !== before);
    await delay(1_000);
    expect(told()).toBe(false);
    ended.abort();
    await listening;
  }, 90_000);

  test('a running task is ended with a signal where a process of its own runs it', async () => {
    await python('garden.slow.apply_async((120, 120), task_id="to-kill", queue="pre")');
    await until('it to run', () => has('active', 'pre', 'to-kill'));
    const { workers } = await rig.tell({ method: 'revoke', task_id: ['to-kill'], terminate: true, signal: 'SIGKILL' }, [
      'pre',
    ]);
    expect(workers['pre']).toMatchObject({ outcome: 'done' });
    await until('its end', async () => !(await has('active', 'pre', 'to-kill')));
    // and the pool is whole again
    await until('two processes', async () => (await stats('pre')).pool.processes.length === 2);
  }, 60_000);

  test('what this Celery does not know is told in its own words', async () => {
    const command = { method: 'revoke_by_stamped_headers', headers: { tenant: ['acme'] } };
    const { workers, end } = await rig.tell(command, ['pre']);
    const version = await python('import celery; print(celery.__version__)');
    if (version.startsWith('5.2')) {
      expect(workers['pre']).toMatchObject({ outcome: 'refused', words: expect.stringMatching(/stamped/) as string });
    } else expect(end?.outcome).toBe('done');
  });

  test('a solo worker that is busy is silent, and answers afterwards', async () => {
    await python('garden.slow.apply_async((6, 2), task_id="keeps-it-busy", queue="solo")');
    await until(
      'it to be busy',
      async () => (await rig.tell({ method: 'ping' }, ['solo'], 500)).end?.outcome !== 'done',
    );
    await until('an answer', async () => (await rig.tell({ method: 'ping' }, ['solo'], 2_000)).end?.outcome === 'done');
  }, 60_000);

  test('every kind of pool is shut down, and one that is gone is told as silent', async () => {
    expect(await did({ method: 'shutdown' }, ALL)).toEqual({ pre: 'done', auto: 'done', thr: 'done', solo: 'done' });
    for (const name of ALL) await until(`the end of ${name}`, async () => rig.workers.get(name)?.ended() === true);
    const { workers } = await rig.tell({ method: 'ping' }, ['pre'], 500);
    expect(workers['pre']).toMatchObject({ outcome: 'silent', words: 'no answer in time' });
  }, 90_000);
});
