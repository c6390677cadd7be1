import type { CommandResult } from '@meadow/api';
import type { WorkerAnswer } from '@meadow/contract';
import type { Api } from '../api/api.ts';
import { toFault, type Fault } from '../api/fault.ts';
import { whyNot, type Method, type WorkerFacts } from './abilities.ts';
import type { Action, Command } from './actions.ts';

/** A worker that something is to be done to. */
export interface Target {
  readonly cluster: string;
  readonly worker: string;
  readonly facts: WorkerFacts;
}

/** Whom a command goes to, and who is left out and why. */
export interface Audience {
  readonly touched: readonly Target[];
  readonly left: readonly { readonly target: Target; readonly why: string }[];
}

export function audienceOf(method: Method, targets: readonly Target[]): Audience {
  const judged = targets.map((target) => ({ target, why: whyNot(method, target.facts) }));
  return {
    touched: judged.flatMap(({ target, why }) => (why === null ? target : [])),
    left: judged.flatMap(({ target, why }) => (why === null ? [] : { target, why })),
  };
}

/** What came of a command on one cluster. */
export interface ClusterOutcome {
  readonly cluster: string;
  readonly result: CommandResult | null;
  /** Why there is no result. */
  readonly fault: Fault | null;
}

/** Tells the workers, each cluster at once and on its own: one that fails does not stop another. Never throws. */
export async function tell(
  api: Api,
  { everywhere = false, waitMs = 5_000 }: Action,
  command: Command,
  touched: readonly Target[],
): Promise<readonly ClusterOutcome[]> {
  const clusters = [...new Set(touched.map(({ cluster }) => cluster))];
  return Promise.all(
    clusters.map(async (cluster) => {
      const names = touched.filter((target) => target.cluster === cluster).map(({ worker }) => worker);
      try {
        const result = await api.run({ cluster, command, workers: everywhere ? null : names, waitMs });
        return { cluster, result, fault: null };
      } catch (error) {
        return { cluster, result: null, fault: toFault(error) };
      }
    }),
  );
}

export interface ToldAnswer extends WorkerAnswer {
  readonly cluster: string;
}

const ORDER = { refused: 0, silent: 1, done: 2 } as const;

/** Every worker's answer, what went wrong first. */
export function answersIn(outcomes: readonly ClusterOutcome[]): readonly ToldAnswer[] {
  return outcomes
    .flatMap(({ cluster, result }) => (result?.workers ?? []).map((answer) => ({ ...answer, cluster })))
    .sort((a, b) => ORDER[a.outcome] - ORDER[b.outcome] || (a.worker < b.worker ? -1 : 1));
}

/** What came of it in all, in a line. */
export function inAll(outcomes: readonly ClusterOutcome[]): string {
  const details = outcomes.map(({ cluster, result, fault }) => {
    const words = result?.detail ?? faultWords(fault);
    return outcomes.length === 1 ? words : `${cluster}: ${words}`;
  });
  return details.join('; ');
}

/** What is known of a command for which there is no result. */
export function faultWords(fault: Fault | null): string {
  if (fault === null) return '';
  switch (fault.kind) {
    case 'refused':
      return `nothing was sent: ${fault.message.replaceAll(/✖ |\s+→ at .*/g, '')}`;
    case 'offline':
      return 'the gateway cannot be reached: whether it was sent is not known';
    default:
      return fault.message;
  }
}
