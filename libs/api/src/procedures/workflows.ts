import { ApiError } from '../errors.ts';
import { procedure, router } from '../trpc.ts';
import { workflowOf } from '../workflow.ts';
import { workflowInput, workflowsInput, type WorkflowDetail, type WorkflowPage } from '../workflows.ts';

export const workflows = router({
  /** Every task that one task began, in its place. @throws TASK_NOT_FOUND where none is known */
  get: procedure.input(workflowInput).query(async ({ ctx, input }): Promise<WorkflowDetail> => {
    const { members, capped } = await ctx.workflows.members(input, ctx.hungUp);
    if (members.length === 0) {
      throw new ApiError(
        'TASK_NOT_FOUND',
        `no task of workflow ${input.rootId} in cluster ${input.cluster}: never heard of, or past its retention`,
      );
    }
    return { cluster: input.cluster, capped, ...workflowOf(input.rootId, members) };
  }),

  /** How many tasks a workflow has; 1 for a task that began nothing. */
  size: procedure.input(workflowInput).query(async ({ ctx, input }): Promise<{ readonly tasks: number }> => ({
    tasks: await ctx.workflows.size(input, ctx.hungUp),
  })),

  /** Workflows of more than one task, those with the newest task first. */
  list: procedure
    .input(workflowsInput)
    .query(async ({ ctx, input }): Promise<WorkflowPage> => ctx.workflows.recent(input, ctx.hungUp)),
});
