import type { GapRecord, PoisonRecord } from '@meadow/contract';
import type { StoreInfo, SystemStatus } from '../answers.ts';
import { ApiError } from '../errors.ts';
import { spanInput } from '../inputs.ts';
import type { Questions, SpanQuestion } from '../ports.ts';
import { rangeSeconds, type RangeName } from '../range.ts';
import { procedure, router } from '../trpc.ts';

const NOTHING: StoreInfo = { version: '', rows: 0, bytes: 0, tables: [] };

export const system = router({
  /** How Meadow itself is doing. Answers whatever is down. */
  status: procedure.query(async ({ ctx }): Promise<SystemStatus> => {
    const [store, pendingMessages] = await Promise.all([askStore(ctx.questions), ctx.bus.pendingMessages()]);
    const problem = ctx.bus.problem();
    const heard = ctx.clusters.list().flatMap(({ status }) => status?.lastEventAt ?? []);
    return {
      version: ctx.version,
      startedAt: ctx.startedAt,
      store,
      bus: { ok: problem === null, error: problem ?? '' },
      ingest: { lastEventAt: heard.length === 0 ? null : Math.max(...heard), pendingMessages },
      viewers: ctx.live.viewers,
    };
  }),

  /** Spans in which events may be missing, newest first. */
  gaps: procedure
    .input(spanInput)
    .query(async ({ ctx, input }): Promise<readonly GapRecord[]> =>
      ctx.questions.gaps(spanQuestion(input, ctx.now()), ctx.hungUp),
    ),

  /** Messages that could not be decoded, newest first. */
  poison: procedure
    .input(spanInput)
    .query(async ({ ctx, input }): Promise<readonly PoisonRecord[]> =>
      ctx.questions.poison(spanQuestion(input, ctx.now()), ctx.hungUp),
    ),
});

async function askStore(questions: Questions): Promise<SystemStatus['store']> {
  try {
    return { ok: true, error: '', ...(await questions.info()) };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { ok: false, error: error.message, ...NOTHING };
  }
}

function spanQuestion(
  input: { cluster?: string | undefined; range: RangeName; limit: number },
  now: number,
): SpanQuestion {
  return { cluster: input.cluster, from: now - rangeSeconds(input.range), to: now, limit: input.limit };
}
