import type { WorkerDetail, WorkerLine } from '../answers.ts';
import { ApiError } from '../errors.ts';
import { clusterInput, workerInput } from '../inputs.ts';
import { procedure, router } from '../trpc.ts';

export const workers = router({
  /** Every worker heard of in the last week. */
  list: procedure
    .input(clusterInput)
    .query(async ({ ctx, input }): Promise<readonly WorkerLine[]> => ctx.questions.workers(input)),

  /** A worker with its lives and what its heartbeats said. @throws WORKER_NOT_FOUND */
  get: procedure.input(workerInput).query(async ({ ctx, input }): Promise<WorkerDetail> => {
    const worker = await ctx.questions.worker(input, ctx.hungUp);
    if (worker === null) {
      throw new ApiError('WORKER_NOT_FOUND', `no worker ${input.worker} in cluster ${input.cluster} in the last week`);
    }
    return worker;
  }),
});
