import {
  spanOf,
  workflowState,
  type WorkflowListQuestion,
  type WorkflowPage,
  type WorkflowQuestion,
  type Workflows,
  type WorkflowTask,
} from '@meadow/api';
import { workflow, workflowList, workflowSize, type Store } from '@meadow/store';
import { ASK_TIMEOUT_MS, Asking } from './asking.ts';
import type { Telemetry } from './telemetry.ts';

const KEEP_MS = 1_000;

/** Workflows of the store behind the API's port. */
export class StoreWorkflows implements Workflows {
  readonly #store: Store;
  readonly #asking: Asking;
  readonly #now: () => number;

  /** @param now Unix seconds */
  constructor(store: Store, telemetry: Telemetry, now: () => number) {
    this.#store = store;
    this.#asking = new Asking(telemetry);
    this.#now = now;
  }

  members(
    input: WorkflowQuestion,
    signal: AbortSignal,
  ): Promise<{ readonly members: readonly WorkflowTask[]; readonly capped: boolean }> {
    return this.#asking.ask('workflow', async () => {
      const { members, capped } = await workflow(this.#store, input, { signal, timeoutMs: ASK_TIMEOUT_MS });
      return {
        capped,
        members: members.map(({ attempt_log, ...task }) => ({
          ...task,
          runs: attempt_log.map(({ started_at, ended_at, state }) => ({ started_at, ended_at, state })),
        })),
      };
    });
  }

  size(input: WorkflowQuestion, signal: AbortSignal): Promise<number> {
    return this.#asking.ask('workflow size', () =>
      workflowSize(this.#store, input, { signal, timeoutMs: ASK_TIMEOUT_MS }),
    );
  }

  recent({ cluster, range, limit }: WorkflowListQuestion): Promise<WorkflowPage> {
    return this.#asking.shared('workflows', `${cluster ?? ''} ${range} ${limit}`, KEEP_MS, async () => {
      const { from, to } = spanOf(range, this.#now());
      const options = { timeoutMs: ASK_TIMEOUT_MS };
      const { rows, more } = await workflowList(this.#store, { cluster, from, to, limit }, options);
      return {
        more,
        rows: rows.map(({ cluster: name, root_id, states, started_at, finished_at, name: task }) => ({
          ...{ cluster: name, rootId: root_id, name: task, state: workflowState(states), totals: states },
          ...{ startedAt: started_at, endedAt: finished_at },
        })),
      };
    });
  }
}
