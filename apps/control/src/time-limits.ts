import type { ControlChannel } from '@meadow/broker';

/** Of one worker; null is none. Seconds. */
export interface TimeLimits {
  readonly soft: number | null;
  readonly hard: number | null;
}

/** What a worker has of a task now; a text where that cannot be known. */
export type Present = TimeLimits | string;

/**
 * Reads the limits that workers have of a task. Celery's `time_limit` sets both at once: who wants to set one has to know
 * the other, or clears it.
 */
export async function readTimeLimits(
  channel: ControlChannel,
  task: string,
  workers: readonly string[],
  waitMs: number,
  signal: AbortSignal,
): Promise<Map<string, Present>> {
  const { replies } = await channel.ask({
    command: { method: 'registered', taskinfoitems: ['soft_time_limit', 'time_limit'], builtins: true },
    ...{ destination: workers, waitMs, signal },
  });
  const told = new Map(replies.map(({ worker, value }) => [worker, limitsIn(value, task)]));
  return new Map(workers.map((worker) => [worker, told.get(worker) ?? 'no answer in time: nothing was sent']));
}

/** A worker tells each task as `name [soft_time_limit=20 time_limit=30]`, or as `name` alone. */
function limitsIn(registered: unknown, task: string): Present {
  const texts = Array.isArray(registered) ? registered.filter((item) => typeof item === 'string') : [];
  const text = texts.find((item) => item === task || item.startsWith(`${task} [`));
  if (text === undefined) return 'it does not know this task: nothing was sent';
  const limit = (name: string): number | null => {
    const found = new RegExp(`(?:\\[| )${name}=(\\S+?)(?=[ \\]])`).exec(text)?.[1];
    const seconds = Number(found);
    return found === undefined || !Number.isFinite(seconds) || seconds <= 0 ? null : seconds;
  };
  return { soft: limit('soft_time_limit'), hard: limit('time_limit') };
}

/** What to send to whom so that a limit which is not asked for stays. @param asked undefined: keep it */
export function timeLimitsToSend(
  asked: { readonly soft: number | null | undefined; readonly hard: number | null | undefined },
  present: ReadonlyMap<string, Present>,
): { groups: (TimeLimits & { readonly workers: string[] })[]; unknown: [worker: string, words: string][] } {
  const groups = new Map<string, TimeLimits & { readonly workers: string[] }>();
  const unknown: [string, string][] = [];
  for (const [worker, limits] of present) {
    if (typeof limits === 'string') {
      unknown.push([worker, limits]);
      continue;
    }
    const soft = asked.soft === undefined ? limits.soft : asked.soft;
    const hard = asked.hard === undefined ? limits.hard : asked.hard;
    const key = `${soft} ${hard}`;
    const group = groups.get(key) ?? { soft, hard, workers: [] };
    group.workers.push(worker);
    groups.set(key, group);
  }
  return { groups: [...groups.values()], unknown };
}
