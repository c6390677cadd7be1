import type {
  AppRouter,
  Compared,
  ConcurrencyTrend,
  DurationTrend,
  HeatMap,
  HourOfWeek,
  Mark,
  QueueTrends,
  TaskTrends,
  Throughput,
  TrendNotes,
  TrendScopes,
  WorkerTrends,
} from '@meadow/api';
import type { TRPCClient } from '@trpc/client';
import type { FreeSpan } from '../router/span.ts';
import type { TrendScope, TrendSpan } from '../trends/trend-view.ts';
import { toFault } from './fault.ts';

/** Which trend is asked for; `points`: how many there is room for. */
export interface TrendInput {
  readonly cluster: string | null;
  readonly scope: TrendScope;
  readonly span: TrendSpan;
  readonly points: number;
  readonly compare: boolean;
}

/** A mark as somebody writes it. */
interface MarkDraft {
  /** Null for all clusters. */
  readonly cluster: string | null;
  readonly at: number;
  readonly kind: Mark['kind'];
  readonly title: string;
  readonly text: string;
  readonly url: string;
}

/** What is asked about time. Failures are `Fault`s. */
export interface TrendsApi {
  throughput(input: TrendInput, signal: AbortSignal): Promise<Compared<Throughput>>;
  durations(input: TrendInput, signal: AbortSignal): Promise<Compared<DurationTrend>>;
  concurrency(input: TrendInput, signal: AbortSignal): Promise<Compared<ConcurrencyTrend>>;
  tasks(input: TrendInput, signal: AbortSignal): Promise<TaskTrends>;
  queues(input: TrendInput, signal: AbortSignal): Promise<QueueTrends>;
  workers(input: TrendInput, signal: AbortSignal): Promise<WorkerTrends>;
  heatMap(input: TrendInput, signal: AbortSignal): Promise<HeatMap>;
  hours(input: TrendInput & { readonly timeZone: string }, signal: AbortSignal): Promise<readonly HourOfWeek[]>;
  scopes(input: TrendInput, signal: AbortSignal): Promise<TrendScopes>;
  notes(input: TrendInput, signal: AbortSignal): Promise<TrendNotes>;
  marks(input: FreeSpan & { readonly cluster: string | null }, signal: AbortSignal): Promise<readonly Mark[]>;
  addMark(mark: MarkDraft): Promise<Mark>;
  removeMark(id: string): Promise<void>;
}

export function trendsApi(client: TRPCClient<AppRouter>): TrendsApi {
  const { trends, marks } = client;
  return {
    throughput: (input, signal) => told(trends.throughput.query(asked(input), { signal })),
    durations: (input, signal) => told(trends.durations.query(asked(input), { signal })),
    concurrency: (input, signal) => told(trends.concurrency.query(asked(input), { signal })),
    tasks: (input, signal) => told(trends.tasks.query(asked(input), { signal })),
    queues: (input, signal) => told(trends.queues.query(asked(input), { signal })),
    workers: (input, signal) => told(trends.workers.query(asked(input), { signal })),
    heatMap: (input, signal) => told(trends.heatMap.query(asked(input), { signal })),
    hours: (input, signal) => {
      const { compare: _, ...question } = asked(input);
      return told(trends.hours.query({ ...question, timeZone: input.timeZone }, { signal }));
    },
    scopes: (input, signal) => told(trends.scopes.query(asked(input), { signal })),
    notes: (input, signal) => told(trends.notes.query(asked(input), { signal })),
    marks: ({ cluster, from, to }, signal) => told(marks.list.query({ ...of(cluster), from, to }, { signal })),
    addMark: ({ cluster, ...mark }) => told(marks.add.mutate({ ...mark, ...of(cluster) })),
    removeMark: async (id) => {
      await told(marks.remove.mutate({ id }));
    },
  };
}

function asked({ cluster, scope, span, points, compare }: TrendInput) {
  const named = Object.fromEntries(Object.entries(scope).filter(([, value]) => value !== ''));
  return { ...of(cluster), ...named, ...(typeof span === 'object' ? span : { range: span }), points, compare };
}

const of = (cluster: string | null): { cluster?: string } => (cluster === null ? {} : { cluster });

async function told<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw toFault(error);
  }
}
