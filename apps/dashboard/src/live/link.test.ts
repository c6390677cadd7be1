import { expect, test } from 'vitest';
import type { LiveHandlers } from '../api/api.ts';
import { FakeWorld } from './fake-world.ts';
import { LiveLink } from './link.ts';

function linkOf() {
  const world = new FakeWorld();
  const calls: LiveHandlers<number>[] = [];
  const heard: number[] = [];
  let open = 0;
  let ready = 0;
  const link = new LiveLink<number>({
    world,
    subscribe: (handlers) => {
      calls.push(handlers);
      open += 1;
      return () => (open -= 1);
    },
    onMessage: (message) => heard.push(message),
    onReady: () => (ready += 1),
  });
  return { world, link, calls, heard, open: () => open, ready: () => ready };
}

test('is live with the answer and passes messages on', () => {
  const { link, calls, heard } = linkOf();
  link.start();
  expect(link.state.mode).toBe('connecting');
  calls[0]?.onOpen();
  expect(link.state.mode).toBe('live');
  calls[0]?.onMessage(7);
  expect(heard).toEqual([7]);
});

test('is stale when a break lasts, counted from its beginning, and asks for what was missed', () => {
  const { world, link, calls, ready } = linkOf();
  link.start();
  calls[0]?.onOpen();
  const broke = world.now();
  calls[0]?.onTrouble();
  expect(link.state.mode).toBe('reconnecting');
  world.pass(10_000);
  expect(link.state).toEqual({ mode: 'stale', since: broke });
  calls[0]?.onOpen();
  expect(link.state.mode).toBe('live');
  expect(ready()).toBe(0);
  calls[0]?.onMessage(1);
  calls[0]?.onMessage(2);
  expect(ready()).toBe(1);
});

test('calls again when the carrier gives up, and ignores the ended call', () => {
  const { world, link, calls, heard } = linkOf();
  link.start();
  calls[0]?.onEnd();
  expect(link.state.mode).toBe('reconnecting');
  world.pass(1000);
  expect(calls).toHaveLength(2);
  calls[0]?.onMessage(1);
  calls[1]?.onMessage(2);
  expect(heard).toEqual([2]);
});

test('hangs up while hidden and asks for what was missed when shown', () => {
  const { world, link, calls, open, ready } = linkOf();
  link.start();
  calls[0]?.onOpen();
  world.show(false);
  expect(link.state.mode).toBe('off');
  expect(open()).toBe(0);
  world.show(true);
  calls[1]?.onMessage(1);
  expect(open()).toBe(1);
  expect(ready()).toBe(1);
});

test('a stopped link leaves nothing behind', () => {
  const { world, link, calls, open } = linkOf();
  link.start();
  calls[0]?.onEnd();
  link.stop();
  world.pass(60_000);
  expect(calls).toHaveLength(1);
  expect(open()).toBe(0);
  expect(world.timers).toBe(0);
});
