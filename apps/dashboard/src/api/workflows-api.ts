import type { AppRouter, RangeName, WorkflowDetail, WorkflowPage } from '@meadow/api';
import type { TRPCClient } from '@trpc/client';
import { toFault } from './fault.ts';

interface WorkflowName {
  readonly cluster: string;
  readonly rootId: string;
}

/** What is asked about the tasks that one task began. Failures are `Fault`s. */
export interface WorkflowsApi {
  get(input: WorkflowName, signal: AbortSignal): Promise<WorkflowDetail>;
  /** How many tasks it has; 1 for a task that began nothing. */
  size(input: WorkflowName, signal: AbortSignal): Promise<number>;
  /** Those with the newest task first. */
  list(
    input: { readonly cluster: string | null; readonly range: RangeName; readonly limit: number },
    signal: AbortSignal,
  ): Promise<WorkflowPage>;
}

export function workflowsApi(client: TRPCClient<AppRouter>): WorkflowsApi {
  return {
    get: (input, signal) => told(client.workflows.get.query(input, { signal })),
    size: async (input, signal) => (await told(client.workflows.size.query(input, { signal }))).tasks,
    list: ({ cluster, ...input }, signal) =>
      told(client.workflows.list.query({ ...input, ...(cluster === null ? {} : { cluster }) }, { signal })),
  };
}

async function told<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw toFault(error);
  }
}
