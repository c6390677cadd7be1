import type { AppRouter, CommandResult } from '@meadow/api';
import type { WorkerAnswer } from '@meadow/contract';
import {
  createTRPCClient,
  httpBatchLink,
  httpBatchStreamLink,
  httpLink,
  httpSubscriptionLink,
  splitLink,
} from '@trpc/client';
import type { Api, LiveHandlers } from './api.ts';
import { told, toFault } from './fault.ts';
import { scopeInput, searchApi } from './search-api.ts';
import { errorsApi } from './errors-api.ts';
import { typesApi } from './types-api.ts';
import { workflowsApi } from './workflows-api.ts';
import { sqlApi } from './sql-api.ts';
import { trendsApi } from './trends-api.ts';

const PAGE_ROWS = 100;
/** What tells how far it is while it goes on. */
const STREAMED: ReadonlySet<string> = new Set(['queues.move', 'tasks.bulk']);
/** Questions that a broker or workers have to answer. */
const SLOW: ReadonlySet<string> = new Set([
  'clusters.broker',
  'clusters.doctor',
  'queues.now',
  'queues.peek',
  'tasks.draft',
]);

/** @param base the document's base, under which the gateway answers `trpc` */
export function trpcApi(base: string): Api {
  const url = new URL('trpc', base).href;
  const client = createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: (operation) => operation.type === 'subscription',
        true: httpSubscriptionLink({ url }),
        false: splitLink({
          condition: ({ path }) => STREAMED.has(path),
          true: httpBatchStreamLink({ url, maxItems: 1 }),
          false: splitLink({
            // workers and brokers may take their time, which nothing else is to wait for
            condition: ({ path, type }) => type === 'mutation' || path.startsWith('control.') || SLOW.has(path),
            true: httpLink({ url }),
            false: httpBatchLink({ url, maxURLLength: 8000 }),
          }),
        }),
      }),
    ],
  });

  return {
    sql: sqlApi(base, client),
    trends: trendsApi(client),
    errors: errorsApi(client),
    types: typesApi(client),
    workflows: workflowsApi(client),
    clusters: (signal) => told(client.clusters.list.query(undefined, { signal })),
    doctor: (input, signal) => told(client.clusters.doctor.query(input, { signal })),
    overview: ({ cluster, range }, signal) => told(client.overview.get.query({ ...of(cluster), range }, { signal })),
    search: searchApi(client),
    task: (input, signal) => told(client.tasks.get.query(input, { signal })),
    taskEvents: (input, signal) => told(client.tasks.events.query(input, { signal })),
    workers: ({ cluster }, signal) => told(client.workers.list.query(of(cluster), { signal })),
    worker: (input, signal) => told(client.workers.get.query(input, { signal })),
    inspect: async ({ cluster, of, workers }, signal) => {
      const named = workers === null ? {} : { workers: [...workers] };
      const parts = await told(client.control.inspect.query({ cluster, of: [...of], ...named }, { signal }));
      // JSON leaves no value out, whatever its type says
      return parts.map((part) => ({ ...part, value: part.value ?? null }));
    },
    run: async ({ cluster, command, workers, waitMs }) => {
      const named = workers === null ? null : [...workers];
      return answered(await told(client.control.run.mutate({ cluster, command, workers: named, waitMs })));
    },
    queues: ({ cluster }, signal) => told(client.queues.list.query(of(cluster), { signal })),
    queueTrend: (input, signal) => told(client.queues.trend.query(input, { signal })),
    queuesNow: ({ cluster, queues }, signal) =>
      told(client.queues.now.query({ cluster, queues: [...queues] }, { signal })),
    peek: (input, signal) => told(client.queues.peek.query(input, { signal })),
    broker: (input, signal) => told(client.clusters.broker.query(input, { signal })),
    purge: (input) => told(client.queues.purge.mutate(input)),
    removeMessage: (input) => told(client.queues.remove.mutate(input)),
    move: ({ limit, ...input }, signal) =>
      toldInSteps(client.queues.move.mutate({ ...input, ...(limit === null ? {} : { limit }) }, { signal })),
    pauseQueue: async (input) => answered(await told(client.queues.pause.mutate(input))),
    resumeQueue: async ({ workers, ...input }) =>
      answered(await told(client.queues.resume.mutate({ ...input, workers: [...workers] }))),
    sendTask: (input) => told(client.tasks.send.mutate(input)),
    draft: (input, signal) => told(client.tasks.draft.query(input, { signal })),
    retry: ({ edit, ...input }) => told(client.tasks.retry.mutate({ ...input, ...(edit === null ? {} : { edit }) })),
    bulk: ({ target, perSecond, ...input }, signal) =>
      toldInSteps(
        client.tasks.bulk.mutate(
          {
            ...input,
            target: 'filter' in target ? { filter: scopeInput(target) } : { tasks: [...target.tasks] },
            ...(perSecond === null ? {} : { perSecond }),
          },
          { signal },
        ),
      ),
    abort: ({ cluster, taskIds }) => told(client.tasks.abort.mutate({ cluster, taskIds: [...taskIds] })),
    audit: ({ question: { outcomes, ...question }, cursor }, signal) => {
      const named = outcomes === undefined ? {} : { outcomes: [...outcomes] };
      const place = cursor === null ? {} : { cursor };
      return told(client.audit.list.query({ ...question, ...named, ...place, limit: PAGE_ROWS }, { signal }));
    },
    auditRequest: (input, signal) => told(client.audit.request.query(input, { signal })),
    system: (signal) => told(client.system.status.query(undefined, { signal })),
    ingest: (signal) => told(client.system.ingest.query(undefined, { signal })),
    loss: ({ cluster, range }, signal) => told(client.system.loss.query({ ...of(cluster), range }, { signal })),
    gaps: ({ cluster, range }, signal) => told(client.system.gaps.query({ ...of(cluster), range }, { signal })),
    poison: ({ cluster, range }, signal) => told(client.system.poison.query({ ...of(cluster), range }, { signal })),
    liveTasks: ({ cluster }, handlers) => hangUp(client.live.tasks.subscribe(of(cluster), listener(handlers))),
    liveWorkers: ({ cluster }, handlers) => hangUp(client.live.workers.subscribe(of(cluster), listener(handlers))),
  };
}

async function* toldInSteps<Step>(answer: Promise<AsyncIterable<Step>>): AsyncGenerator<Step, void> {
  try {
    yield* await answer;
  } catch (error) {
    throw toFault(error);
  }
}

/** JSON leaves out a value that is none, whatever its type says. */
function answered({ workers, ...result }: Untold): CommandResult {
  return { ...result, workers: workers.map((answer) => ({ ...answer, value: answer.value ?? null })) };
}

type Untold = Omit<CommandResult, 'workers'> & {
  readonly workers: readonly (Omit<WorkerAnswer, 'value'> & { readonly value?: unknown })[];
};

function listener<Message>(handlers: LiveHandlers<Message>) {
  return {
    onConnectionStateChange: (change: { readonly state: string; readonly error?: unknown }) => {
      if (change.state === 'pending') handlers.onOpen();
      else if (change.state === 'connecting' && change.error) handlers.onTrouble();
    },
    onData: (message: Message) => {
      handlers.onMessage(message);
    },
    onError: () => {
      handlers.onEnd();
    },
    onComplete: () => {
      handlers.onEnd();
    },
  };
}

function hangUp(call: { unsubscribe(): void }): () => void {
  return () => {
    call.unsubscribe();
  };
}

function of(cluster: string | null): { cluster?: string } {
  return cluster === null || cluster === '' ? {} : { cluster };
}
