import { clusterName } from '@meadow/contract';
import { z } from 'zod';
import { range, shortText } from './inputs.ts';
import type { RangeName } from './range.ts';
import type { Workflow, WorkflowState, WorkflowTask } from './workflow.ts';

/** What is stored of workflows. */
export interface Workflows {
  /** Every task of one, at most 20,000; none when nobody knows it. */
  members(
    input: WorkflowQuestion,
    signal: AbortSignal,
  ): Promise<{ readonly members: readonly WorkflowTask[]; readonly capped: boolean }>;
  /** How many tasks there are of one, the root among them. */
  size(input: WorkflowQuestion, signal: AbortSignal): Promise<number>;
  /** Those with the newest task first. */
  recent(input: WorkflowListQuestion, signal: AbortSignal): Promise<WorkflowPage>;
}

export interface WorkflowQuestion {
  readonly cluster: string;
  readonly rootId: string;
}

export interface WorkflowListQuestion {
  readonly cluster?: string | undefined;
  readonly range: RangeName;
  readonly limit: number;
}

export interface WorkflowDetail extends Workflow {
  readonly cluster: string;
  /** It has more tasks than these. */
  readonly capped: boolean;
}

/** A workflow in a list. Times are Unix seconds. */
export interface WorkflowLine {
  readonly cluster: string;
  readonly rootId: string;
  /** Of the root; '' when it is not known. */
  readonly name: string;
  readonly state: WorkflowState;
  /** Tasks seen, by state; of workflows that last for days, the first may be left out. */
  readonly totals: Readonly<Record<string, number>>;
  readonly startedAt: number;
  /** null while a task is open. */
  readonly endedAt: number | null;
}

export interface WorkflowPage {
  readonly rows: readonly WorkflowLine[];
  /** There are more in the range. */
  readonly more: boolean;
}

export const workflowInput = z.strictObject({ cluster: clusterName, rootId: shortText(500) });

export const workflowsInput = z.strictObject({
  cluster: clusterName.optional(),
  range: range.default('24h'),
  limit: z.int().min(1, 'from 1 to 200').max(200, 'from 1 to 200').default(50),
});
