import type { Workflow, WorkflowMember } from '@meadow/api';
import { taskLook, type Tone } from '../design/states.ts';
import { formatDuration } from '../format/duration.ts';

/** A part of a task's time. Unix seconds. */
export interface Bar {
  readonly kind: 'wait' | 'run';
  readonly from: number;
  readonly to: number;
  readonly tone: Tone;
  /** It still goes on. */
  readonly open: boolean;
}

/** When a task waited and when it ran, each attempt by itself; none where no time is known. */
export function barsOf(member: WorkflowMember, now: number): readonly Bar[] {
  const { sent_at, received_at, started_at, finished_at, state } = member;
  const single = started_at === null ? [] : [{ started_at, ended_at: finished_at, state }];
  const runs = (member.runs.length > 0 ? member.runs : single).filter((run) => run.started_at !== null);
  const bars: Bar[] = [];
  const begun = sent_at ?? received_at;
  const first = runs[0]?.started_at ?? null;
  const isOver = finished_at !== null;
  if (begun !== null) {
    const open = first === null && !isOver;
    bars.push({ kind: 'wait', from: begun, to: after(begun, first ?? finished_at ?? now), tone: 'idle', open });
  }
  runs.forEach((run, index) => {
    const from = run.started_at ?? 0;
    const isLast = index === runs.length - 1;
    const end = run.ended_at ?? (isLast ? finished_at : null);
    const next = runs[index + 1]?.started_at ?? null;
    const tone = taskLook(isLast ? state : run.state).tone;
    bars.push({ kind: 'run', from, to: after(from, end ?? next ?? now), tone, open: isLast && end === null });
  });
  return bars;
}

/** Clocks of different machines may put an end before its begin. */
const after = (from: number, to: number): number => Math.max(from, to);

/** What the axis spans: from the first moment known to the last, at least a millisecond. Null where none is known. */
export function extentOf(workflow: Workflow, now: number): { readonly from: number; readonly to: number } | null {
  let from = Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;
  for (const member of workflow.members) {
    for (const bar of barsOf(member, now)) {
      from = Math.min(from, bar.from);
      to = Math.max(to, bar.to);
    }
  }
  return from > to ? null : { from, to: Math.max(to, from + 0.001) };
}

const STEPS = [
  ...[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30],
  ...[60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400],
];

/** Marks of an axis: how long after its begin, seconds, and in words. At most as many as asked for, the begin among them. */
export function ticksOf(seconds: number, most: number): readonly { readonly at: number; readonly label: string }[] {
  const least = seconds / Math.max(1, most - 1);
  const day = 86_400;
  const step = STEPS.find((each) => each >= least) ?? Math.ceil(least / day) * day;
  return Array.from({ length: Math.floor(seconds / step + 1e-9) + 1 }, (_, index) => {
    const at = index * step;
    return { at, label: index === 0 ? '0' : `+${formatDuration(at).replace(/\.0+ /, ' ')}` };
  });
}
