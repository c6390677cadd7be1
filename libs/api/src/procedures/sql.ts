import { ApiError } from '../errors.ts';
import {
  savedQueriesInput,
  savedQueryId,
  savedQueryInput,
  sqlCheckInput,
  type SavedQuery,
  type SqlSchema,
  type SqlVerdict,
} from '../sql.ts';
import { procedure, router } from '../trpc.ts';

/** Running a statement is `POST /sql/run`, its result as a file `/sql/export`: both are streams of the gateway. */
export const sql = router({
  /** Public tables, functions and examples. */
  schema: procedure.query(async ({ ctx }): Promise<SqlSchema> => ctx.sql.schema()),

  /** Whether a statement can be read and may run, without running it. */
  check: procedure
    .input(sqlCheckInput)
    .query(async ({ ctx, input }): Promise<SqlVerdict> => ctx.sql.check(input.statement, ctx.hungUp)),

  /** Own and shared queries, newest first. */
  saved: procedure
    .input(savedQueriesInput)
    .query(async ({ ctx, input }): Promise<readonly SavedQuery[]> =>
      ctx.sql.saved({ ...input, requester: ctx.requester }),
    ),

  /** @throws SAVED_QUERY_NOT_FOUND */
  savedQuery: procedure.input(savedQueryId).query(async ({ ctx, input }): Promise<SavedQuery> => {
    const found = await ctx.sql.savedQuery(input.id);
    if (found === null)
      throw new ApiError('SAVED_QUERY_NOT_FOUND', `no saved query ${input.id}: it may have been removed`);
    return found;
  }),

  /** Saves a new query, or a new version of one. @throws SAVED_QUERY_NOT_FOUND, SAVED_QUERY_FOREIGN */
  save: procedure
    .input(savedQueryInput)
    .mutation(async ({ ctx, input }): Promise<SavedQuery> => ctx.sql.save({ ...input, requester: ctx.requester })),

  /** @throws SAVED_QUERY_NOT_FOUND, SAVED_QUERY_FOREIGN */
  remove: procedure
    .input(savedQueryId)
    .mutation(async ({ ctx, input }): Promise<void> => ctx.sql.remove({ id: input.id, requester: ctx.requester })),
});
