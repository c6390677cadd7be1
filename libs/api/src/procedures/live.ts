import type { TaskListRow, WorkerRow } from '@meadow/contract';
import type { LiveMessage } from '../answers.ts';
import { ApiError } from '../errors.ts';
import { liveInput } from '../inputs.ts';
import { procedure, router, toTrpcError } from '../trpc.ts';

/**
 * What changes right now, over server-sent events. The first message is empty: what is fetched after it misses nothing.
 * Nothing is replayed, so messages carry no ids: whoever was away asks for the page again. An end with a 5xx code means
 * to connect again, which tRPC's client does by itself.
 */
export const live = router({
  tasks: procedure.input(liveInput).subscription(async function* ({ ctx, input }): Messages<TaskListRow> {
    yield* told(ctx.live.tasks(clustersOf(input), ctx.hungUp));
  }),
  workers: procedure.input(liveInput).subscription(async function* ({ ctx, input }): Messages<WorkerRow> {
    yield* told(ctx.live.workers(clustersOf(input), ctx.hungUp));
  }),
});

type Messages<Row> = AsyncGenerator<LiveMessage<Row>, void>;

function clustersOf(input: {
  cluster?: string | undefined;
  clusters?: readonly string[] | undefined;
}): readonly string[] | null {
  if (input.cluster !== undefined) return [input.cluster];
  return input.clusters ?? null;
}

/** What is thrown while streaming passes no middleware: here it gets its code. */
async function* told<Row>(messages: AsyncIterable<LiveMessage<Row>>): Messages<Row> {
  try {
    for await (const message of messages) yield message;
  } catch (error) {
    throw error instanceof ApiError ? toTrpcError(error) : error;
  }
}
