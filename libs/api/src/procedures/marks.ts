import { z } from 'zod';
import { ApiError } from '../errors.ts';
import { clusterInput, shortText, unixSeconds } from '../inputs.ts';
import { markInput, type Mark } from '../marks.ts';
import { procedure, router } from '../trpc.ts';

export const marks = router({
  /** Marks of a span, oldest first; with a cluster, its own and those of all. */
  list: procedure
    .input(clusterInput.extend({ from: unixSeconds, to: unixSeconds }))
    .query(async ({ ctx, input }): Promise<readonly Mark[]> => ctx.marks.list(input)),

  /** Says something of a moment. */
  add: procedure
    .input(markInput)
    .mutation(async ({ ctx, input }): Promise<Mark> =>
      ctx.marks.add({ ...input, by: input.by === '' ? ctx.requester.actor : input.by }),
    ),

  /** Takes it back. @throws MARK_NOT_FOUND */
  remove: procedure
    .input(z.strictObject({ id: shortText(100) }))
    .mutation(async ({ ctx, input }): Promise<{ readonly id: string }> => {
      if (!(await ctx.marks.remove(input.id))) {
        throw new ApiError('MARK_NOT_FOUND', `no mark ${input.id}: it was taken back, or never made`);
      }
      return input;
    }),
});
