import { ApiError } from '../errors.ts';
import { clusterInput } from '../inputs.ts';
import {
  taskTypeInput,
  taskTypesInput,
  type TaskTypeDetail,
  type TaskTypeList,
  type TypeSchedule,
} from '../task-types.ts';
import { procedure, router } from '../trpc.ts';

export const types = router({
  /** Every task by its name, and what became of it in a span of time. */
  list: procedure
    .input(taskTypesInput)
    .query(async ({ ctx, input }): Promise<TaskTypeList> => ctx.taskTypes.list(input)),

  /** The schedules that tasks follow; those that follow none are left out. */
  schedules: procedure
    .input(clusterInput)
    .query(async ({ ctx, input }): Promise<readonly TypeSchedule[]> => ctx.taskTypes.schedules(input)),

  /** One of them, with where it ran, what went wrong, and the schedule that its runs follow. @throws TASK_NOT_FOUND */
  get: procedure.input(taskTypeInput).query(async ({ ctx, input }): Promise<TaskTypeDetail> => {
    const found = await ctx.taskTypes.get(input, ctx.hungUp);
    if (found !== null) return found;
    throw new ApiError('TASK_NOT_FOUND', `no task named ${input.name} was seen in cluster ${input.cluster} in 90 days`);
  }),
});
