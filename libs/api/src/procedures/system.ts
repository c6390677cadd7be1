import type { GapRecord, PoisonRecord } from '@meadow/contract';
import type { ClusterLoss, IngestState, StreamInfo, SystemStatus } from '../answers.ts';
import { ApiError } from '../errors.ts';
import { ingestState } from '../ingest.ts';
import { overviewInput, spanInput } from '../inputs.ts';
import type { Ports, Questions, SpanQuestion } from '../ports.ts';
import { rangeSeconds, type RangeName } from '../range.ts';
import { procedure, router } from '../trpc.ts';

const NOTHING: Omit<SystemStatus['store'], 'ok' | 'error'> = { version: '', rows: 0, bytes: 0, tables: [], load: null };

export const system = router({
  /** How Meadow itself is doing. Answers whatever is down. */
  status: procedure.query(async ({ ctx }): Promise<SystemStatus> => {
    const [store, stream] = await Promise.all([askStore(ctx.questions), ctx.bus.stream()]);
    const problem = ctx.bus.problem();
    const services = ctx.clusters.services();
    const state = stateOf(ctx, store.ok ? null : store.error, stream);
    return {
      version: ctx.version,
      startedAt: ctx.startedAt,
      store,
      bus: { ok: problem === null, error: problem ?? '', stream },
      ingest: { ...state, lastEventAt: lastEventAt(ctx) },
      services,
      viewers: ctx.live.viewers,
    };
  }),

  /** Whether what pages show is as new as what was heard: for the line above every page. Answers whatever is down. */
  ingest: procedure.query(async ({ ctx }): Promise<IngestState> => {
    const [store, stream] = await Promise.all([ctx.questions.problem(), ctx.bus.stream()]);
    return stateOf(ctx, store, stream);
  }),

  /** What was measured never to have been heard, by cluster. */
  loss: procedure
    .input(overviewInput)
    .query(async ({ ctx, input }): Promise<readonly ClusterLoss[]> => ctx.questions.loss(input)),

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

function lastEventAt({ clusters }: Ports): number | null {
  const heard = clusters.list().flatMap(({ status }) => status?.lastEventAt ?? []);
  return heard.length === 0 ? null : Math.max(...heard);
}

function stateOf(ctx: Ports, store: string | null, stream: StreamInfo | null): IngestState {
  return ingestState({
    now: ctx.now(),
    since: ctx.startedAt,
    bus: ctx.bus.problem(),
    store,
    stream,
    services: ctx.clusters.services(),
    lastEventAt: lastEventAt(ctx),
  });
}

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
