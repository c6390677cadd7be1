import { failureTitle } from '@meadow/celery';
import {
  errorCategoriesInput,
  errorInput,
  errorRulesInput,
  errorsInput,
  errorUpdateInput,
  type ErrorCategorySeries,
  type ErrorDetail,
  type ErrorList,
  type ErrorRulesNow,
} from '../error-groups.ts';
import { ApiError } from '../errors.ts';
import { procedure, router } from '../trpc.ts';

export const errors = router({
  /** Groups of failures that happened in a range, as they stand now. */
  list: procedure.input(errorsInput).query(async ({ ctx, input }): Promise<ErrorList> => {
    const { groups, ...list } = await ctx.errors.groups(input, ctx.hungUp);
    return { ...list, groups: groups.map(titled) };
  }),

  /** A group with what is known of it. @throws ERROR_NOT_FOUND */
  get: procedure.input(errorInput).query(async ({ ctx, input }): Promise<ErrorDetail> => {
    const group = await ctx.errors.group(input, ctx.hungUp);
    if (group === null) throw unknown(input);
    return titled(group);
  }),

  /** Failures by category over time. */
  categories: procedure
    .input(errorCategoriesInput)
    .query(async ({ ctx, input }): Promise<ErrorCategorySeries> => ctx.errors.categories(input, ctx.hungUp)),

  /** Resolves, ignores or opens a group, says who looks after it, or notes something. @throws ERROR_NOT_FOUND */
  update: procedure.input(errorUpdateInput).mutation(async ({ ctx, input }): Promise<void> => {
    if (!(await ctx.errors.update({ ...input, by: ctx.requester }))) throw unknown(input);
  }),

  rules: router({
    /** The rules by which groups have a category. */
    get: procedure.query(async ({ ctx }): Promise<ErrorRulesNow> => ctx.errors.rules()),

    /** Puts others in their place, which count for what failed before, too. */
    set: procedure
      .input(errorRulesInput)
      .mutation(async ({ ctx, input }): Promise<ErrorRulesNow> => ctx.errors.setRules({ ...input, by: ctx.requester })),
  }),
});

const titled = <Group extends { readonly exception_type: string; readonly message: string }>(
  group: Group,
): Group & { readonly title: string } => ({ ...group, title: failureTitle(group.exception_type, group.message) });

const unknown = ({ cluster, fingerprint }: { readonly cluster: string; readonly fingerprint: string }): ApiError =>
  new ApiError(
    'ERROR_NOT_FOUND',
    `no errors ${fingerprint} in cluster ${cluster}: never heard of, or past its retention`,
  );
