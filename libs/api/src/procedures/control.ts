import { askedCommand, clusterName, INSPECTIONS, type InspectionPart } from '@meadow/contract';
import { z } from 'zod';
import type { CommandResult } from '../answers.ts';
import { audienceInput, audienceOf, type Addressed } from '../audience.ts';
import { procedure, router } from '../trpc.ts';

const workerName = z.string().min(1, 'a worker has a name').max(255, 'at most 255 characters');

export const control = router({
  /** What workers told of themselves last, with the time of each answer. Never waits for one that is silent. */
  inspect: procedure
    .input(
      z.strictObject({
        cluster: clusterName,
        of: z.array(z.enum(INSPECTIONS)).min(1, 'name what to ask for').max(INSPECTIONS.length),
        /** All when left out. */
        workers: z.array(workerName).max(1_000, 'at most 1000 workers').optional(),
      }),
    )
    .query(async ({ ctx, input }): Promise<readonly InspectionPart[]> => ctx.control.inspect(input, ctx.hungUp)),

  /** Whom an action on a pool, a cluster or what a filter matches would touch: `run` takes their names, cluster by cluster. */
  audience: procedure
    .input(audienceInput)
    .query(async ({ ctx, input }): Promise<readonly Addressed[]> =>
      audienceOf(await ctx.questions.workers({ cluster: input.cluster }), input),
    ),

  /**
   * Tells workers something, under Celery's names, and gathers what each did. Recorded with who asked.
   * @throws CONTROL_REFUSED in words for people: nothing was sent then
   */
  run: procedure
    .input(
      z.strictObject({
        cluster: clusterName,
        command: askedCommand,
        /** Null for every worker that hears it, which only a revoke may be for. */
        workers: z
          .array(workerName)
          .min(1, 'no worker is named: name one')
          .max(10_000, 'at most 10000 workers')
          .nullable(),
        /** How long answers are waited for, milliseconds. */
        waitMs: z.int().min(100).max(20_000, 'at most 20000 ms').default(5_000),
      }),
    )
    .mutation(async ({ ctx, input }): Promise<CommandResult> =>
      ctx.control.run({ ...input, by: ctx.requester }, ctx.hungUp),
    ),
});
