import type { Overview } from './answers.ts';
import { overviewInput } from './inputs.ts';
import { audit } from './procedures/audit.ts';
import { clusters } from './procedures/clusters.ts';
import { control } from './procedures/control.ts';
import { errors } from './procedures/errors.ts';
import { live } from './procedures/live.ts';
import { marks } from './procedures/marks.ts';
import { queues } from './procedures/queues.ts';
import { sql } from './procedures/sql.ts';
import { system } from './procedures/system.ts';
import { tasks } from './procedures/tasks.ts';
import { trends } from './procedures/trends.ts';
import { types } from './procedures/types.ts';
import { workers } from './procedures/workers.ts';
import { workflows } from './procedures/workflows.ts';
import { procedure, router } from './trpc.ts';

/** Everything that can be asked. A tRPC context is an `ApiContext`. */
export const appRouter = router({
  audit,
  clusters,
  control,
  errors,
  overview: router({
    /** What happened in a span of time, beside the span before. */
    get: procedure
      .input(overviewInput)
      .query(async ({ ctx, input }): Promise<Overview> => ctx.questions.overview(input)),
  }),
  marks,
  queues,
  sql,
  tasks,
  trends,
  types,
  workers,
  workflows,
  live,
  system,
});

/** For clients: `createTRPCClient<AppRouter>`. */
export type AppRouter = typeof appRouter;
