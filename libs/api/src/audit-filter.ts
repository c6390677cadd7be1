import { AUDIT_OUTCOMES, AUDIT_TARGETS, clusterName } from '@meadow/contract';
import { z } from 'zod';
import { range, shortText, unixSeconds } from './inputs.ts';
import type { AuditSelection } from './ports.ts';
import { rangeSeconds } from './range.ts';

const oneOf = <const Names extends readonly string[]>(what: string, names: Names) =>
  z.enum(names, {
    error: ({ input }) => `${JSON.stringify(input)} is no ${what}: use one of ${names.join(', ')}`,
  });

/** Which audit records; every condition given has to hold. */
export const auditFilter = z
  .strictObject({
    cluster: clusterName.optional(),
    actor: shortText(300).optional(),
    /** Substring of actor or address, ignoring case. */
    who: shortText(300).optional(),
    /** Exact, or a prefix when it ends in `*`. */
    action: shortText(300).optional(),
    /** `begun` is for what has not ended. */
    outcomes: z
      .array(oneOf('outcome', AUDIT_OUTCOMES))
      .min(1, 'leave it out to see all')
      .max(AUDIT_OUTCOMES.length)
      .optional(),
    targetKind: oneOf('kind of target', AUDIT_TARGETS).optional(),
    target: shortText(300).optional(),
    /** Exact name of a worker that it was about, or that answered. */
    worker: shortText(300).optional(),
    text: shortText(500).optional(),
    /** Up to now; `from` and `to` say it exactly. */
    range: range.optional(),
    from: unixSeconds.optional(),
    to: unixSeconds.optional(),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from < to, 'from must lie before to')
  .refine(({ from, range: named }) => from === undefined || named === undefined, 'use either range or from');

/** What a filter means at `now`, Unix seconds. */
export function auditSelection(filter: z.output<typeof auditFilter>, now: number): AuditSelection {
  const { range: named, ...selection } = filter;
  return named === undefined ? selection : { ...selection, from: now - rangeSeconds(named) };
}
