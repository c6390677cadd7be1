import { AUDIT_OUTCOMES, AUDIT_TARGETS, clusterName, type AuditRow } from '@meadow/contract';
import { z } from 'zod';
import type { AuditPage } from '../answers.ts';
import { shortText, unixSeconds } from '../inputs.ts';
import { procedure, router } from '../trpc.ts';

export const audit = router({
  /** What was commanded, newest first, without what each worker answered. @throws CURSOR_INVALID */
  list: procedure
    .input(
      z.strictObject({
        cluster: clusterName.optional(),
        actor: shortText(300).optional(),
        /** Exact, or a prefix when it ends in `*`. */
        action: shortText(300).optional(),
        outcomes: z.array(z.enum(AUDIT_OUTCOMES)).min(1, 'leave it out to see all').optional(),
        targetKind: z.enum(AUDIT_TARGETS).optional(),
        target: shortText(300).optional(),
        text: shortText(500).optional(),
        from: unixSeconds.optional(),
        to: unixSeconds.optional(),
        cursor: shortText(4000).optional(),
        limit: z.int().min(1, 'from 1 to 200').max(200, 'from 1 to 200').default(50),
      }),
    )
    .query(async ({ ctx, input }): Promise<AuditPage> => ctx.questions.audit(input, ctx.hungUp)),

  /** Every record of one request, oldest first, whole. */
  request: procedure
    .input(z.strictObject({ cluster: clusterName, requestId: shortText(300) }))
    .query(async ({ ctx, input }): Promise<readonly AuditRow[]> => ctx.questions.auditRequest(input, ctx.hungUp)),
});
