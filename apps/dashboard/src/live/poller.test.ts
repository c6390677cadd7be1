import { expect, test } from 'vitest';
import { Fault } from '../api/fault.ts';
import { FakeWorld } from './fake-world.ts';
import { Poller } from './poller.ts';

const settled = () => new Promise((resolve) => setImmediate(resolve));

function pollerOf(answers: (() => Promise<number>)[], everyMs: number | null = 1000) {
  const world = new FakeWorld();
  let asked = 0;
  const load = () => {
    const answer = answers[Math.min(asked, answers.length - 1)];
    asked += 1;
    return answer?.() ?? Promise.reject(new Error('no answer'));
  };
  const poller = new Poller<number>({ load, everyMs, world });
  return { world, poller, asked: () => asked };
}

const gives = (value: number) => () => Promise.resolve(value);
const fails = (error: unknown) => () => Promise.reject(error);

test('asks again after the pause and not before', async () => {
  const { world, poller, asked } = pollerOf([gives(1), gives(2)]);
  poller.start();
  expect(poller.state.loading).toBe(true);
  await settled();
  expect(poller.state).toMatchObject({ data: 1, loading: false, fault: null });
  world.pass(999);
  expect(asked()).toBe(1);
  world.pass(1);
  await settled();
  expect(poller.state.data).toBe(2);
});

test('keeps the last answer when a question fails, and recovers', async () => {
  const { world, poller } = pollerOf([gives(1), fails(new Fault('broken', 'no')), gives(3)]);
  poller.start();
  await settled();
  world.pass(1000);
  await settled();
  expect(poller.state.data).toBe(1);
  expect(poller.state.fault?.kind).toBe('broken');
  world.pass(2000);
  await settled();
  expect(poller.state).toMatchObject({ data: 3, fault: null });
});

test('asks nothing while the page is hidden and at once when it is shown', async () => {
  const { world, poller, asked } = pollerOf([gives(1)]);
  poller.start();
  await settled();
  world.show(false);
  world.pass(60_000);
  expect(asked()).toBe(1);
  world.show(true);
  await settled();
  expect(asked()).toBe(2);
});

test('tells faults apart by the code of the answer', async () => {
  const { poller } = pollerOf([fails(Object.assign(new Error('no'), { data: { code: 'FORBIDDEN' } }))], null);
  poller.start();
  await settled();
  expect(poller.state.fault?.kind).toBe('forbidden');
  const other = pollerOf([fails(new TypeError('fetch failed'))], null).poller;
  other.start();
  await settled();
  expect(other.state.fault?.kind).toBe('offline');
});

test('a stopped poller leaves no timer and hears no late answer', async () => {
  const { world, poller } = pollerOf([gives(1)]);
  poller.start();
  poller.stop();
  await settled();
  expect(poller.state.data).toBeUndefined();
  expect(world.timers).toBe(0);
});

test('a paused poller asks nothing until it goes on', async () => {
  const { world, poller, asked } = pollerOf([gives(1), gives(2)]);
  poller.start();
  await settled();
  poller.pause(true);
  world.pass(60_000);
  world.show(false);
  world.show(true);
  expect(asked()).toBe(1);
  poller.pause(false);
  await settled();
  expect(poller.state.data).toBe(2);
});
