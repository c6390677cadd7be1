import { parseRepr } from '@meadow/celery';
import type { TaskEventRow } from '@meadow/contract';
import type { Facets, ReprView, TaskDetail, TaskPage } from '../answers.ts';
import { ApiError } from '../errors.ts';
import { facetsInput, taskInput, tasksInput } from '../inputs.ts';
import { rangeSeconds } from '../range.ts';
import { procedure, router } from '../trpc.ts';

export const tasks = router({
  /** A page of tasks, newest first. */
  list: procedure.input(tasksInput).query(async ({ ctx, input }): Promise<TaskPage> => {
    const { range, ...question } = input;
    const from = range === undefined ? question.from : ctx.now() - rangeSeconds(range);
    return ctx.questions.tasks({ ...question, from }, ctx.hungUp);
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

  /** Values that tasks had lately. */
  facets: procedure.input(facetsInput).query(async ({ ctx, input }): Promise<Facets> => ctx.questions.facets(input)),
});

function reprView(text: string): ReprView | null {
  if (text === '') return null;
  const { raw, value, cut, exact } = parseRepr(text);
  return { raw, parsed: value, cut, exact };
}
