import { openBus, type Bus } from '@meadow/bus';
import {
  askControlSubject,
  BUCKETS,
  clusterDefinition,
  type AuditRecord,
  type ClusterDefinition,
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
  startService,
  waitFor,
  type CeleryWorker,
} from '@meadow/testkit';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

export const by = { actor: 'ann', signed_in: 'basic', address: '127.0.0.1', user_agent: 'test' } as const;
export const nodeOf = (name: string): string => `${name}@${hostname()}`;
export const never: AbortSignal = new AbortController().signal;

export type Command = Extract<ControlQuestionInput, { kind: 'command' }>['command'];

/** What was published of a kind so far, in order. */
async function recordsOf<Record>(bus: Bus, kind: 'audit' | 'queue'): Promise<Record[]> {
  const records: Record[] = [];
  const { messages } = await bus.events.state();
  if (messages === 0) return records;
  for await (const batch of bus.events.read(0, AbortSignal.timeout(10_000))) {
    if (batch.kind === kind) {
      const lines = Buffer.from(batch.data).toString().trim().split('\n');
      records.push(...lines.map((line) => JSON.parse(line) as Record));
    }
    if (batch.pending === 0) break;
  }
  return records;
}

export type RigBroker = { readonly url: string; readonly management?: string } & AsyncDisposable;

export async function startRabbit(): Promise<RigBroker> {
  const rabbit = await startRabbitmq({ management: true });
  const management = rabbit.managementUrl ?? '';
  return { url: rabbit.amqpUrl, management, [Symbol.asyncDispose]: () => rabbit[Symbol.asyncDispose]() };
}

/** How a worker is started: its arguments, and Celery's settings. */
type Start = readonly [args: readonly string[], settings?: object];

const PREFORK_AND_THREADS: Readonly<Record<string, Start>> = {
  pre: [['--concurrency', '2']],
  thr: [['--pool', 'threads', '--concurrency', '2']],
};

/** Control as a process of its own, and a cluster with workers. */
export async function openRig(broker: RigBroker, started = PREFORK_AND_THREADS) {
  const stack = new AsyncDisposableStack();
  stack.use(broker);
  const nats = stack.use(await startNats());
  const bus: Bus = stack.use(await openBus({ url: nats.url, name: 'test', signal: never }));
  await bus.events.ensure();
  const definition = clusterDefinition.parse({ name: 'garden', broker: broker.url, management: broker.management });
  const clusters = await bus.bucket<ClusterDefinition>(BUCKETS.clusters, (value) => clusterDefinition.parse(value));
  await clusters.put('garden', definition);
  // before control looks: it looks for new queues once a minute
  await runPython('import garden\nfor n in range(7): garden.add.apply_async((n, n), queue="nobody-takes-these")', {
    env: celeryEnvironment({ brokerUrl: broker.url }),
  });
  const control = stack.use(await startService('control', { natsUrl: nats.url, clickhouseUrl: 'http://127.0.0.1:1' }));
  const workers = new Map<string, CeleryWorker>();
  const start = async (name: string, args: readonly string[], settings = {}): Promise<void> => {
    workers.set(name, stack.use(await startCeleryWorker({ brokerUrl: broker.url, name, args, settings })));
  };
  for (const [name, [args, settings]] of Object.entries(started)) await start(name, args, settings);
  const ask = async (question: ControlQuestionInput, signal: AbortSignal = never): Promise<ControlPart[]> => {
    const parts: ControlPart[] = [];
    for await (const part of bus.requests.askInParts(askControlSubject('garden'), question, signal)) {
      parts.push(part as ControlPart);
    }
    return parts;
  };
  await waitFor(async () => (await ask({ kind: 'inspect', of: ['stats'], workers: null }).catch(() => [])).length > 0, {
    what: 'control to answer',
    deadlineMs: 30_000,
    everyMs: 200,
  });
  return {
    ...{ nats, bus, control, workers, ask, start, brokerUrl: broker.url },
    /** Tells workers something; what came of it, by worker, and in all. */
    async tell(command: Command, names: readonly string[] | null, waitMs = 5_000) {
      const request_id = randomUUID();
      const workers = names === null ? null : names.map(nodeOf);
      const parts = await ask({ kind: 'command', request_id, by, command, workers, wait_ms: waitMs });
      const told = parts.filter((part) => part.kind === 'worker');
      return {
        request_id,
        workers: Object.fromEntries(told.map((part) => [part.worker.split('@')[0], part])),
        end: parts.find((part) => part.kind === 'ended'),
      };
    },
    async inspect(of: 'stats' | 'active_queues', name: string): Promise<unknown> {
      // what is a few seconds old is not asked for again
      const parts = await ask({
        ...{ kind: 'command', request_id: randomUUID(), by, command: { method: of }, workers: [nodeOf(name)] },
      });
      return parts.find((part) => part.kind === 'worker')?.value;
    },
    /** Every audit record so far, in order. */
    audit: () => recordsOf<AuditRecord>(bus, 'audit'),
    samples: () => recordsOf<QueueSample>(bus, 'queue'),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export type Rig = Awaited<ReturnType<typeof openRig>>;
