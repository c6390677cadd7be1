import type { AppRouter } from '@meadow/api';
import {
  createTRPCClient,
  httpBatchLink,
  httpLink,
  httpSubscriptionLink,
  splitLink,
  type TRPCClient,
} from '@trpc/client';
import type { TaskFilter } from '../live/task-filter.ts';
import type { Api, LiveHandlers } from './api.ts';
import { toFault } from './fault.ts';

const PAGE_ROWS = 100;

/** @param base the document's base, under which the gateway answers `trpc` */
export function trpcApi(base: string): Api {
  const url = new URL('trpc', base).href;
  const client = createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: (operation) => operation.type === 'subscription',
        true: httpSubscriptionLink({ url }),
        false: splitLink({
          // workers may take their time, which nothing else is to wait for
          condition: (operation) => operation.path.startsWith('control.'),
          true: httpLink({ url }),
          false: httpBatchLink({ url, maxURLLength: 8000 }),
        }),
      }),
    ],
  });

  return {
    clusters: (signal) => told(client.clusters.list.query(undefined, { signal })),
    doctor: (input, signal) => told(client.clusters.doctor.query(input, { signal })),
    overview: ({ cluster, range }, signal) => told(client.overview.get.query({ ...of(cluster), range }, { signal })),
    tasks: ({ filter, range, cursor, before }, signal) => {
      const place = { ...(cursor === null ? {} : { cursor }), ...(before === null ? {} : { to: before }) };
      return told(client.tasks.list.query({ ...narrowed(filter), ...place, range, limit: PAGE_ROWS }, { signal }));
    },
    task: (input, signal) => told(client.tasks.get.query(input, { signal })),
    taskEvents: (input, signal) => told(client.tasks.events.query(input, { signal })),
    facets: ({ cluster }, signal) => told(client.tasks.facets.query(of(cluster), { signal })),
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
      const result = await told(client.control.run.mutate({ cluster, command, workers: named, waitMs }));
      return { ...result, workers: result.workers.map((answer) => ({ ...answer, value: answer.value ?? null })) };
    },
    system: (signal) => told(client.system.status.query(undefined, { signal })),
    ingest: (signal) => told(client.system.ingest.query(undefined, { signal })),
    loss: ({ cluster, range }, signal) => told(client.system.loss.query({ ...of(cluster), range }, { signal })),
    gaps: ({ cluster, range }, signal) => told(client.system.gaps.query({ ...of(cluster), range }, { signal })),
    poison: ({ cluster, range }, signal) => told(client.system.poison.query({ ...of(cluster), range }, { signal })),
    liveTasks: ({ cluster }, handlers) => hangUp(client.live.tasks.subscribe(of(cluster), listener(handlers))),
    liveWorkers: ({ cluster }, handlers) => hangUp(client.live.workers.subscribe(of(cluster), listener(handlers))),
  };
}

async function told<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw toFault(error);
  }
}

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

/** The filter with what is empty left out: the server refuses empty texts. */
function narrowed(filter: TaskFilter): Parameters<TRPCClient<AppRouter>['tasks']['list']['query']>[0] {
  // named one by one: a spread would let a misspelt name through, which the server refuses
  return {
    cluster: filled(filter.cluster),
    states: filter.states.length > 0 ? [...filter.states] : undefined,
    name: filled(filter.name),
    queue: filled(filter.queue),
    worker: filled(filter.worker),
    text: filled(filter.text.trim()),
  };
}

function filled(text: string): string | undefined {
  return text === '' ? undefined : text;
}
