import fc from 'fast-check';
import type { TaskEvent } from '../src/event.ts';

export const id = 'T1';

/** An event of worker w1 unless said otherwise. */
export function event(
  type: string,
  timestamp: number,
  more: Partial<TaskEvent> & Record<string, unknown> = {},
): TaskEvent {
  return {
    type: `task-${type}`,
    uuid: id,
    hostname: type === 'sent' ? 'gen9@h' : 'w1@h',
    pid: 1,
    clock: timestamp,
    timestamp,
    ...more,
  };
}

/** An uneventful task. */
export const life = [
  event('sent', 1, {
    name: 'app.t',
    args: '(1,)',
    kwargs: '{}',
    retries: 0,
    queue: 'q',
    exchange: 'x',
    routing_key: 'r',
    root_id: 'R',
    parent_id: 'P',
  }),
  event('received', 2, { name: 'app.t', args: '(1,)', kwargs: '{}', retries: 0, root_id: 'R', parent_id: 'P' }),
  event('started', 3),
  event('succeeded', 4, { result: "'ok'", runtime: 0.5 }),
];

/** One retry, received a moment before the attempt that asked for it reports. */
export const retried = [
  event('sent', 1, { name: 'app.t', retries: 0 }),
  event('received', 2, { name: 'app.t', retries: 0 }),
  event('started', 3),
  event('sent', 3.9, { name: 'app.t', retries: 1, parent_id: id, eta: '1970-01-01T00:00:05.5', hostname: 'gen3@h' }),
  event('received', 3.95, { name: 'app.t', retries: 1, parent_id: id, eta: '1970-01-01T00:00:05.5' }),
  event('retried', 4, { exception: "pkg.Gone('x')", traceback: 'Traceback…' }),
  event('started', 6),
  event('succeeded', 7, { result: '1', runtime: 1 }),
];

/** Every order of `items` that `shuffles` random draws give, each item up to three times. */
export function orders<Item extends object>(items: readonly Item[]): fc.Arbitrary<Item[]> {
  const copies = fc.array(fc.nat({ max: items.length - 1 }), { maxLength: 2 * items.length });
  return copies.chain((extra) => {
    const all = [...items, ...extra.flatMap((i) => items.slice(i, i + 1).map((item) => ({ ...item })))];
    return fc.shuffledSubarray(all, { minLength: all.length });
  });
}
