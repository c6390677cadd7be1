import { clusterName, type AuditRow } from '@meadow/contract';
import { z } from 'zod';
import type { AuditPage } from '../answers.ts';
import { auditFilter, auditSelection } from '../audit-filter.ts';
import { shortText } from '../inputs.ts';
import { procedure, router } from '../trpc.ts';

export const audit = router({
  /** What was commanded, newest first, without what each worker answered. @throws CURSOR_INVALID */
  list: procedure
    .input(
      auditFilter.safeExtend({
        cursor: shortText(4000).optional(),
        limit: z.int().min(1, 'from 1 to 200').max(200, 'from 1 to 200').default(50),
      }),
    )
    .query(async ({ ctx, input: { cursor, limit, ...filter } }): Promise<AuditPage> =>
      ctx.questions.audit({ ...auditSelection(filter, ctx.now()), cursor, limit }, ctx.hungUp),
    ),

  /** Every record of one request, oldest first, whole. */
  request: procedure
    .input(z.strictObject({ cluster: z.union([clusterName, z.literal('')]), requestId: shortText(300) }))
    .query(async ({ ctx, input }): Promise<readonly AuditRow[]> => ctx.questions.auditRequest(input, ctx.hungUp)),
});
