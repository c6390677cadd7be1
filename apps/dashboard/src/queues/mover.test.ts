import type { MoveStep } from '@meadow/api';
import { expect, test, vi } from 'vitest';
import { Mover } from './mover.ts';

const INPUT = { cluster: 'prod', from: 'a', to: 'b', limit: null };

/** Moves as it is told, and as the server hangs up when it is aborted. */
function moves(steps: readonly MoveStep[], then: 'end' | 'wait' | 'fail' = 'end') {
  return {
    async *move(_input: unknown, signal: AbortSignal): AsyncGenerator<MoveStep, void> {
      yield* steps;
      if (then === 'fail') throw new Error('the broker is gone');
      signal.throwIfAborted();
      if (then === 'wait')
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  };
}

const ended: MoveStep = { kind: 'ended', request_id: 'r', outcome: 'done', detail: 'all moved', count: 7 };

test('a move tells how far it is, and what came of it', async () => {
  const mover = new Mover(moves([{ kind: 'progress', done: 3, total: 7 }, ended]), INPUT);
  expect(await mover.over).toMatchObject({ stage: 'ended', done: 7, total: 7, result: { request_id: 'r' } });
});

test('a move that is stopped is no failure, and does not claim to know the count', async () => {
  const mover = new Mover(moves([{ kind: 'progress', done: 3, total: 7 }], 'wait'), INPUT);
  await vi.waitFor(() => {
    expect(mover.state.done).toBe(3);
  });
  mover.stop();
  expect(await mover.over).toMatchObject({ stage: 'stopped', done: 3, result: null, fault: null });
});

test('a move that breaks off keeps how far it was known to be', async () => {
  const mover = new Mover(moves([{ kind: 'progress', done: 3, total: 7 }], 'fail'), INPUT);
  expect(await mover.over).toMatchObject({ stage: 'failed', done: 3, fault: { message: 'the broker is gone' } });
  expect(await new Mover(moves([]), INPUT).over).toMatchObject({ stage: 'failed', fault: { kind: 'broken' } });
});
