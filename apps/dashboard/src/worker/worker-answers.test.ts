import type { Inspection } from '@meadow/contract';
import { expect, test } from 'vitest';
import { WorkerAnswers } from './worker-answers.ts';

const signal = new AbortController().signal;

/** A worker `w`: what control last heard of it, and what it says when it is asked itself; null is silence. */
function workerThat(says: { shared: { at: number | null; value: unknown }; own: unknown }) {
  const clock = { ms: 1_000_000 };
  const asked: unknown[] = [];
  const answers = new WorkerAnswers(
    {
      inspect: ({ of }) =>
        Promise.resolve(
          of.map((each) => ({ kind: 'inspection', of: each, worker: 'w', omitted: 0, error: null, ...says.shared })),
        ),
      run: ({ command, workers }) => {
        asked.push([command, workers]);
        const silent = says.own === null;
        const answer = {
          worker: 'w',
          outcome: silent ? 'silent' : 'done',
          words: '',
          value: says.own,
          seconds: 0,
        } as const;
        return Promise.resolve({ request_id: '', outcome: 'done', detail: '', workers: [answer] });
      },
    },
    'prod',
    'w',
    () => clock.ms,
  );
  const shown = async (of: Inspection): Promise<unknown> => (await answers.ask([of], signal)).parts.get(of)?.value;
  return { answers, clock, asked, shown };
}

test('its own answer counts until a shared one is surely newer, however far the clocks differ', async () => {
  for (const behind of [0, 7200]) {
    const says = {
      shared: { at: (10_100 - behind) as number | null, value: 'before' as unknown },
      own: 'after' as unknown,
    };
    const { answers, clock, shown } = workerThat(says);
    expect(await shown('active_queues')).toBe('before');
    await answers.askAnew(['active_queues']);
    clock.ms += 3_000;
    says.shared = { at: 10_101 - behind, value: 'asked before, came after' };
    expect(await shown('active_queues')).toBe('after');
    clock.ms += 3_000;
    expect(await shown('active_queues')).toBe('after');
    says.shared = { at: 10_106 - behind, value: 'later' };
    expect(await shown('active_queues')).toBe('later');
  }
});

test('silence changes nothing, also when control has forgotten what was said', async () => {
  const says = { shared: { at: 100 as number | null, value: 'said' as unknown }, own: null };
  const { answers, shown } = workerThat(says);
  expect(await shown('revoked')).toBe('said');
  await answers.askAnew(['revoked']);
  expect(await shown('revoked')).toBe('said');
  says.shared = { at: null, value: null };
  expect(await shown('revoked')).toBe('said');
});

test('it is asked for the limits of its tasks too, which it does not tell by itself', async () => {
  const { answers, asked } = workerThat({ shared: { at: 100, value: ['t'] }, own: ['t [time_limit=30]'] });
  await answers.askAnew(['registered']);
  expect(asked).toEqual([
    [{ method: 'registered', taskinfoitems: ['rate_limit', 'soft_time_limit', 'time_limit'] }, ['w']],
  ]);
});

test('the share of a core is of the time between two answers', async () => {
  const stats = (utime: number) => ({ pid: 7, pool: { 'max-concurrency': 1 }, rusage: { utime, stime: 0, maxrss: 1 } });
  const says = { shared: { at: 100, value: stats(10) as unknown }, own: null };
  const { answers, shown } = workerThat(says);
  await shown('stats');
  expect(answers.known().cpu).toBeNull();
  says.shared = { at: 105, value: stats(12.5) };
  await shown('stats');
  expect(answers.known().cpu).toBe(0.5);
});
