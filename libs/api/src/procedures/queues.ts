import { clusterName, MOST_PEEKED, type QueueRow } from '@meadow/contract';
import { z } from 'zod';
import type { ActionResult, CommandResult, MoveStep, QueueMessages, QueueNow, QueueTrend } from '../answers.ts';
import { clusterInput } from '../inputs.ts';
import { RANGES } from '../range.ts';
import { procedure, router } from '../trpc.ts';

const queueName = z.string().min(1, 'a queue has a name').max(255, 'at most 255 characters');
const ofQueue = { cluster: clusterName, queue: queueName };
const workerName = z.string().min(1, 'a worker has a name').max(255, 'at most 255 characters');

export const queues = router({
  /** Every queue that was heard of in the last 30 days, with its figures when it was looked at last. Asks no broker. */
  list: procedure
    .input(clusterInput)
    .query(async ({ ctx, input }): Promise<readonly QueueRow[]> => ctx.questions.queues(input)),

  /** How deep, how old and how quick a queue was. Asks no broker. */
  trend: procedure
    .input(z.strictObject({ ...ofQueue, range: z.enum(RANGES).default('6h') }))
    .query(async ({ ctx, input }): Promise<QueueTrend> => ctx.questions.queueTrend(input, ctx.hungUp)),

  /** What the broker says of queues at this moment. */
  now: procedure
    .input(z.strictObject({ cluster: clusterName, queues: z.array(queueName).min(1, 'name a queue').max(1_000) }))
    .query(async ({ ctx, input }): Promise<readonly QueueNow[]> => ctx.control.queues(input, ctx.hungUp)),

  /** Messages that wait, decoded, secrets masked, those that are next first. On RabbitMQ to look is to take and put back. */
  peek: procedure
    .input(
      z.strictObject({
        ...ofQueue,
        offset: z.int().min(0).max(10_000, 'at most 10000').default(0),
        limit: z.int().min(1).max(MOST_PEEKED, `at most ${MOST_PEEKED}`).default(20),
      }),
    )
    .query(async ({ ctx, input }): Promise<QueueMessages> => ctx.control.peek(input, ctx.hungUp)),

  /** Removes all that waits. `confirm` is the queue's name once more. @throws CONTROL_REFUSED when it is another */
  purge: procedure
    .input(z.strictObject({ ...ofQueue, confirm: z.string().max(255) }))
    .mutation(async ({ ctx, input }): Promise<ActionResult> => ctx.control.purge({ ...input, by: ctx.requester })),

  /** Removes one message that `peek` has shown. Redis only. */
  remove: procedure
    .input(z.strictObject({ ...ofQueue, handle: z.string().min(1).max(1_000) }))
    .mutation(async ({ ctx, input }): Promise<ActionResult> => ctx.control.remove({ ...input, by: ctx.requester })),

  /** Moves messages to another queue, oldest first. Tells how far it is; hanging up stops it between two messages. */
  move: procedure
    .input(
      z.strictObject({
        cluster: clusterName,
        from: queueName,
        to: queueName,
        /** All that wait when left out. */
        limit: z.int().min(1).max(10_000_000, 'at most 10 million').optional(),
      }),
    )
    .mutation(async function* ({ ctx, input }): AsyncGenerator<MoveStep, void> {
      const { limit = null, ...move } = input;
      yield* ctx.control.move({ ...move, limit, by: ctx.requester }, ctx.hungUp);
    }),

  /** Tells every worker that takes from a queue to stop; those are remembered for `resume`. */
  pause: procedure
    .input(z.strictObject(ofQueue))
    .mutation(async ({ ctx, input }): Promise<CommandResult> => ctx.control.pause({ ...input, by: ctx.requester })),

  /** Tells the workers that took from it when it was paused, and those named here, to take from it again. */
  resume: procedure
    .input(z.strictObject({ ...ofQueue, workers: z.array(workerName).max(1_000).default([]) }))
    .mutation(async ({ ctx, input }): Promise<CommandResult> => ctx.control.resume({ ...input, by: ctx.requester })),
});
