import { openBus } from '@meadow/bus';
import { controlCommand } from '@meadow/celery';
import { askControlSubject, BUCKETS, clusterDefinition, type ClusterDefinition } from '@meadow/contract';
import {
  celeryEnvironment,
  runPython,
  startCeleryWorker,
  startNats,
  startRabbitmq,
  startRedis,
  startService,
  waitFor,
} from '@meadow/testkit';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { mutate, startGateway } from './gateway.ts';
import { anyValue, randomly, type Random } from './hostile-values.ts';

const by = { actor: 'mallory', signed_in: 'anonymous', address: '', user_agent: '' } as const;
const node = `tester@${hostname()}`;
const never = new AbortController().signal;
const INPUTS = 10_000;
const AT_A_TIME = 50;

const METHODS = [
  ...['ping', 'active', 'reserved', 'scheduled', 'revoked', 'active_queues', 'stats', 'report', 'clock', 'memsample'],
  ...['conf', 'registered', 'query_task', 'revoke', 'revoke_by_stamped_headers', 'rate_limit', 'time_limit'],
  ...['shutdown', 'enable_events', 'disable_events', 'heartbeat', 'pool_grow', 'pool_shrink', 'autoscale'],
  ...['pool_restart', 'add_consumer', 'cancel_consumer'],
  // what Celery has and Meadow does not send, and what nobody has
  ...['hello', 'election', 'objgraph', 'memdump', 'dump_tasks', 'eval', '__class__', ''],
];
const KEYS = [
  ...['task_id', 'ids', 'queue', 'exchange', 'exchange_type', 'routing_key', 'n', 'max', 'min', 'task_name', 'soft'],
  ...['hard', 'rate_limit', 'signal', 'terminate', 'headers', 'safe', 'with_defaults', 'taskinfoitems', 'builtins'],
  ...['modules', 'reload', 'destination', 'reply_to', 'ticket', 'method', 'arguments', '__proto__', 'constructor'],
];
function anyCommand(random: Random): { method: string } & Record<string, unknown> {
  const pairs = Array.from({ length: random(5) }, () => [KEYS[random(KEYS.length)] ?? '', anyValue(random)] as const);
  return { ...Object.fromEntries(pairs), method: METHODS[random(METHODS.length)] ?? '' };
}

/** What would, as it should, end the worker, stop its consuming, or take all the memory there is. */
function isMeantToHurt(command: { method: string } & Record<string, unknown>): boolean {
  if (!controlCommand.safeParse(command).success) return false;
  return ['shutdown', 'cancel_consumer', 'pool_shrink', 'pool_restart', 'pool_grow'].includes(command.method);
}

async function survives(broker: { readonly url: string } & AsyncDisposable): Promise<void> {
  await using stack = new AsyncDisposableStack();
  stack.use(broker);
  const nats = stack.use(await startNats());
  const bus = stack.use(await openBus({ url: nats.url, name: 'test', signal: never }));
  await bus.events.ensure();
  const clusters = await bus.bucket<ClusterDefinition>(BUCKETS.clusters, (value) => clusterDefinition.parse(value));
  await clusters.put('garden', clusterDefinition.parse({ name: 'garden', broker: broker.url }));
  const worker = stack.use(await startCeleryWorker({ brokerUrl: broker.url, backendUrl: '' }));
  stack.use(await startService('control', { natsUrl: nats.url, clickhouseUrl: 'http://127.0.0.1:1' }));
  const gateway = stack.use(await startGateway(nats.url));
  const ask = async (question: unknown): Promise<'sent' | 'refused'> => {
    try {
      for await (const _ of bus.requests.askInParts(askControlSubject('garden'), question, never));
      return 'sent';
    } catch {
      return 'refused';
    }
  };
  /** The way of a browser, or of a script. */
  const run = async (told: object, workers: unknown): Promise<'sent' | 'refused'> => {
    const { status, text } = await mutate(gateway, 'control.run', {
      cluster: 'garden',
      command: told,
      workers,
      waitMs: 300,
    });
    if (status >= 500) throw new Error(`${status} to ${JSON.stringify(told)}: ${text}`);
    return status === 200 ? 'sent' : 'refused';
  };
  const command = (told: object, workers: unknown = [node]) => ({
    ...{ kind: 'command', request_id: randomUUID(), by, command: told, workers, wait_ms: 300 },
  });
  await waitFor(async () => (await ask(command({ method: 'ping' }))) === 'sent', {
    ...{ what: 'control to answer', deadlineMs: 20_000, everyMs: 200 },
  });
  const random = randomly(2026);
  const counts = { sent: 0, refused: 0 };
  for (let done = 0; done < INPUTS; done += AT_A_TIME) {
    const asking = Array.from({ length: AT_A_TIME }, (_, index) => {
      if (random(20) === 0) return ask(anyValue(random));
      const told = anyCommand(random);
      const workers = random(10) === 0 ? anyValue(random) : [node];
      if (isMeantToHurt(told)) return ask(null);
      // half of them come past the gateway
      return index % 2 === 0 ? run(told, workers) : ask(command(told, workers));
    });
    for (const outcome of await Promise.all(asking)) counts[outcome]++;
  }
  // a test that refuses everything would prove nothing
  expect(counts.sent).toBeGreaterThan(500);
  expect(counts.refused).toBeGreaterThan(5_000);
  if (worker.ended()) throw new Error(`the worker ended: ${worker.log().slice(-1500)}`);
  expect(await ask(command({ method: 'ping' }))).toBe('sent');
  // alive is not enough: one that is deaf takes no task any more
  await runPython('import garden; garden.add.delay(2, 3)', { env: celeryEnvironment({ brokerUrl: broker.url }) });
  await waitFor(() => worker.log().includes('garden.add') && /succeeded in/.test(worker.log()), {
    ...{ what: 'a task after all that', deadlineMs: 20_000, everyMs: 200 },
  });
  expect(worker.log()).not.toContain('Unrecoverable error');
  expect(worker.log()).not.toMatch(/pidbox command error|Traceback[^]*pidbox/);
}

test('ten thousand hostile questions harm no worker on redis', async () => {
  await survives(await startRedis());
}, 300_000);

test('… nor on rabbitmq', async () => {
  const rabbit = await startRabbitmq();
  await survives({ url: rabbit.amqpUrl, [Symbol.asyncDispose]: () => rabbit[Symbol.asyncDispose]() });
}, 300_000);
