import { clusterName, type Finding } from '@meadow/contract';
import { z } from 'zod';
import type { BrokerNow, ClusterLine, ClusterSummary } from '../answers.ts';
import { ApiError } from '../errors.ts';
import type { RegisteredCluster } from '../ports.ts';
import { procedure, router } from '../trpc.ts';

/** A collector reports every few seconds; this much silence means that it may be gone. */
const STALE_SECONDS = 15;

export const clusters = router({
  /** Every cluster that is defined, reported on or stored, by name. Answers without the store too, if NATS knows any. */
  list: procedure.query(async ({ ctx }): Promise<ClusterLine[]> => {
    const registered = ctx.clusters.list();
    try {
      return clusterLines(registered, await ctx.questions.clusterSummaries(), ctx.now());
    } catch (error) {
      if (registered.length === 0 || !(error instanceof ApiError)) throw error;
      return clusterLines(registered, new Map(), ctx.now());
    }
  }),

  /** Every check of a cluster, with what to do about it. May take seconds: the broker is asked. */
  doctor: procedure
    .input(z.strictObject({ cluster: clusterName }))
    .query(async ({ ctx, input }): Promise<readonly Finding[]> => ctx.doctor.examine(input.cluster)),

  /** What the broker of a cluster tells of itself at this moment. @throws CONTROL_REFUSED when it does not answer */
  broker: procedure
    .input(z.strictObject({ cluster: clusterName }))
    .query(async ({ ctx, input }): Promise<BrokerNow> => ctx.control.broker(input, ctx.hungUp)),
});

function clusterLines(
  registered: readonly RegisteredCluster[],
  summaries: ReadonlyMap<string, ClusterSummary>,
  now: number,
): ClusterLine[] {
  const statusOf = new Map(registered.map(({ name, status }) => [name, status]));
  return [...new Set([...statusOf.keys(), ...summaries.keys()])].sort().map((name) => {
    const status = statusOf.get(name) ?? null;
    return {
      name,
      state: status?.state ?? 'unreported',
      stale: status !== null && now - status.reportedAt > STALE_SECONDS,
      status,
      summary: summaries.get(name) ?? null,
    };
  });
}
