import { parseRepr } from '@meadow/celery';
import {
  askedTask,
  clusterName,
  MOST_TASKS_ASKED,
  type DraftRefusal,
  type TaskDraft,
  type TaskEventRow,
  type TaskOutcome,
} from '@meadow/contract';
import { z } from 'zod';
import type {
  BulkStep,
  ReprView,
  SeenValue,
  SendResult,
  TaskDetail,
  TaskFacets,
  TaskPage,
  TasksResult,
} from '../answers.ts';
import { BULK_ACTIONS, MOST_BULK_TASKS, runBulk } from '../bulk.ts';
import { ApiError } from '../errors.ts';
import { taskInput } from '../inputs.ts';
import { seenValuesInput, taskSearch, taskSelection, tasksInput } from '../task-search.ts';
import { procedure, router } from '../trpc.ts';

export const tasks = router({
  /** A page of tasks. @throws QUERY_INVALID with the place in the query */
  list: procedure.input(tasksInput).query(async ({ ctx, input }): Promise<TaskPage> => {
    const { sort, cursor, limit, ...selected } = input;
    return ctx.questions.tasks({ ...taskSearch(selected, ctx.now()), sort, cursor, limit }, ctx.hungUp);
  }),

  /** Everything known of a task. @throws TASK_NOT_FOUND */
  get: procedure.input(taskInput).query(async ({ ctx, input }): Promise<TaskDetail> => {
    const task = await ctx.questions.task(input, ctx.hungUp);
    if (task === null) {
      throw new ApiError(
        'TASK_NOT_FOUND',
        `no task ${input.taskId} in cluster ${input.cluster}: never heard of, or past its retention`,
      );
    }
    return {
      ...task,
      parsed: { args: reprView(task.args), kwargs: reprView(task.kwargs), result: reprView(task.result) },
    };
  }),

  /** The timeline of a task, oldest first; empty for a task that is not known. */
  events: procedure
    .input(taskInput)
    .query(async ({ ctx, input }): Promise<readonly TaskEventRow[]> => ctx.questions.taskEvents(input, ctx.hungUp)),

  /** How many tasks a query finds, by state, name, queue, worker and exception. @throws QUERY_INVALID */
  facets: procedure
    .input(taskSelection)
    .query(async ({ ctx, input }): Promise<TaskFacets> =>
      ctx.questions.facets(taskSearch(input, ctx.now()), ctx.hungUp),
    ),

  /** Values that tasks had lately, to complete what is being typed. */
  values: procedure
    .input(seenValuesInput)
    .query(async ({ ctx, input }): Promise<{ readonly values: readonly SeenValue[] }> => ({
      values: await ctx.questions.values(input),
    })),

  /**
   * Sends a task by its name: `taskRequest` of the protocol library says what it may have, arguments as JSON text.
   * @throws CONTROL_REFUSED in words for people: nothing was sent then
   */
  send: procedure
    .input(z.strictObject({ cluster: clusterName, task: askedTask }))
    .mutation(async ({ ctx, input }): Promise<SendResult> => ctx.control.send({ ...input, by: ctx.requester })),

  /** What a retry of a task would send, or why it cannot be repeated exactly. */
  draft: procedure.input(taskInput).query(async ({ ctx, input }): Promise<TaskDraft | DraftRefusal> => {
    const told = await ctx.questions.toldTasks({ cluster: input.cluster, taskIds: [input.taskId] }, ctx.hungUp);
    return ctx.control.draft({ ...input, told: told.get(input.taskId)?.told ?? null }, ctx.hungUp);
  }),

  /** Sends a task once more, as its draft has it but for what is edited. @throws CONTROL_REFUSED: nothing was sent then */
  retry: procedure
    .input(
      z.strictObject({
        ...taskInput.shape,
        edit: z.strictObject({ base: z.string().max(200), changes: askedTask }).optional(),
      }),
    )
    .mutation(async ({ ctx, input }): Promise<SendResult> => {
      const { cluster, taskId, edit = null } = input;
      const told = await ctx.questions.toldTasks({ cluster, taskIds: [taskId] }, ctx.hungUp);
      const tasks = [{ taskId, told: told.get(taskId)?.told ?? null }];
      const how = { dryRun: false, evenIfWaiting: true, perSecond: null };
      const asked = { cluster, tasks, edit, ...how, by: ctx.requester };
      let task: TaskOutcome | null = null;
      for await (const part of ctx.control.retry(asked, ctx.hungUp)) {
        if (!('kind' in part)) task = part;
        else if (task !== null) {
          const { kind: _, ...result } = part;
          return { ...result, task };
        }
      }
      throw new ApiError('CONTROL_UNAVAILABLE', 'control ended before the retry did: look at the audit');
    }),

  /**
   * Does the same to every task that a filter matches, or to those named: first a dry run, which tells how many. Tells how far
   * it is; hanging up stops it between two tasks.
   */
  bulk: procedure
    .input(
      z.strictObject({
        action: z.enum(BULK_ACTIONS),
        target: z.union([
          z.strictObject({ filter: taskSelection }),
          z.strictObject({ tasks: z.array(taskInput).min(1, 'name a task').max(MOST_BULK_TASKS) }),
        ]),
        dryRun: z.boolean(),
        /** Retries: at most so many a second. */
        perSecond: z.number().min(0.1, 'at least 0.1').max(1_000, 'at most 1000').optional(),
      }),
    )
    .mutation(async function* ({ ctx, input }): AsyncGenerator<BulkStep, void> {
      yield* runBulk(input, ctx, ctx.hungUp);
    }),

  /** Asks tasks that are made from `AbortableTask` to end. */
  abort: procedure
    .input(
      z.strictObject({ cluster: clusterName, taskIds: z.array(taskInput.shape.taskId).min(1).max(MOST_TASKS_ASKED) }),
    )
    .mutation(async ({ ctx, input }): Promise<TasksResult> => ctx.control.abort({ ...input, by: ctx.requester })),
});

function reprView(text: string): ReprView | null {
  if (text === '') return null;
  const { raw, value, cut, exact } = parseRepr(text);
  return { raw, parsed: value, cut, exact };
}
