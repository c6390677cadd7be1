import type { SentEvent } from './traffic.ts';

/**
 * What the store has to say of a cluster when it holds exactly these events. Keys of records are `<minute> <type>`,
 * `<minute> <name>` and the like, minutes in Unix seconds.
 */
export interface Facts {
  /** Of `task_events`, by type. */
  readonly events: Readonly<Record<string, number>>;
  /** Events stored more than once. */
  readonly repeated: number;
  /** Of `tasks`: rows, different ids, and rows in each final state. */
  readonly tasks: { readonly rows: number; readonly ids: number; readonly succeeded: number; readonly failed: number };
  /** Of `task_rollup`, by minute and type. */
  readonly rollup: Readonly<Record<string, number>>;
  /** Runtimes in `task_rollup`: how many, and their sum to the millisecond. */
  readonly runtimes: { readonly count: number; readonly sum: number };
  /** Of `failure_rollup`, by minute and exception. */
  readonly failures: Readonly<Record<string, number>>;
  /** Rows of sketches and of hourly counts that differ from those of the stored events. */
  readonly wrongRollups: number;
}

/** What depends on each task having been heard from its beginning. */
export interface NamedFacts {
  /** Of `task_rollup`, by minute and task name. */
  readonly byName: Readonly<Record<string, number>>;
  /** Of `failure_rollup`, by minute, name and exception. */
  readonly failures: Readonly<Record<string, number>>;
  /** Waits counted in `task_rollup`: one a start. */
  readonly waits: number;
}

export function factsOf(events: readonly SentEvent[]): Facts {
  const byType = new Tally();
  const rollup = new Tally();
  const failures = new Tally();
  const last = new Map<string, string>();
  const runtimes = { count: 0, sum: 0 };
  for (const { type, taskId, at, exception, runtime } of events) {
    byType.add(type);
    rollup.add(`${minuteOf(at)} ${type}`);
    if (type === 'task-failed') failures.add(`${minuteOf(at)} ${exception}`);
    if (!isFinal(last.get(taskId))) last.set(taskId, type);
    if (runtime !== null) {
      runtimes.count++;
      runtimes.sum += runtime;
    }
  }
  const ended = (type: string): number => [...last.values()].filter((it) => it === type).length;
  return {
    events: byType.record(),
    repeated: 0,
    tasks: { rows: last.size, ids: last.size, succeeded: ended('task-succeeded'), failed: ended('task-failed') },
    rollup: rollup.record(),
    runtimes: { count: runtimes.count, sum: rounded(runtimes.sum) },
    failures: failures.record(),
    wrongRollups: 0,
  };
}

export function namedFactsOf(events: readonly SentEvent[]): NamedFacts {
  const byName = new Tally();
  const failures = new Tally();
  let waits = 0;
  for (const { type, name, at, exception } of events) {
    byName.add(`${minuteOf(at)} ${name}`);
    if (type === 'task-failed') failures.add(`${minuteOf(at)} ${name} ${exception}`);
    if (type === 'task-started') waits++;
  }
  return { byName: byName.record(), failures: failures.record(), waits };
}

const isFinal = (type: string | undefined): boolean => type === 'task-succeeded' || type === 'task-failed';
const minuteOf = (at: number): number => Math.floor(at / 60) * 60;
/** Sums of thousands of floats differ in their last digits by the order of adding. */
export const rounded = (seconds: number): number => Math.round(seconds * 1000) / 1000;

class Tally {
  readonly #counts = new Map<string, number>();

  add(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  record(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([one], [other]) => (one < other ? -1 : 1)));
  }
}
