import type { AppRouter, LiveMessage } from '@meadow/api';
import type { TaskListRow } from '@meadow/contract';
import { createTRPCClient, httpBatchLink, httpSubscriptionLink, splitLink, TRPCClientError } from '@trpc/client';

export type Client = ReturnType<typeof connect>;

/** The client that a browser has. */
export function connect(baseUrl: string) {
  const url = `${baseUrl}/trpc`;
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: (operation) => operation.type === 'subscription',
        true: httpSubscriptionLink({ url }),
        false: httpBatchLink({ url }),
      }),
    ],
  });
}

/** The failure of a call, as `httpStatus meadowCode`. */
export async function failureOf(call: Promise<unknown>): Promise<{ told: string; message: string }> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof TRPCClientError)) throw error;
    const data = error.data as { httpStatus?: number; meadowCode?: string } | undefined;
    return { told: `${data?.httpStatus} ${data?.meadowCode}`, message: error.message };
  }
  throw new Error('the call did not fail');
}

export interface Watched {
  /** Rows by task id, newest state. */
  readonly rows: Map<string, TaskListRow>;
  readonly messages: LiveMessage<TaskListRow>[];
  /** `connecting`, `pending`, `idle` and codes of errors, as they came. */
  readonly states: string[];
  stop(): void;
}

export function watch(client: Client, input: { cluster?: string; clusters?: string[] }): Watched {
  const watched = {
    rows: new Map<string, TaskListRow>(),
    messages: [] as LiveMessage<TaskListRow>[],
    states: [] as string[],
  };
  const { unsubscribe } = client.live.tasks.subscribe(input, {
    onData(message) {
      watched.messages.push(message);
      for (const row of message.rows) watched.rows.set(row.task_id, row);
    },
    onConnectionStateChange({ state, error }) {
      watched.states.push(error === null ? state : `${state} ${error.data?.meadowCode ?? 'disconnected'}`);
    },
  });
  return { ...watched, stop: unsubscribe };
}

/** The value of a metric, labels as written there; 0 where it has none yet. */
export async function metric(baseUrl: string, name: string): Promise<number> {
  const text = await (await fetch(`${baseUrl}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}
