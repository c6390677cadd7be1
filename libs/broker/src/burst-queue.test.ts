import { expect, test, vi } from 'vitest';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BurstQueue, type Overflow } from './burst-queue.ts';
import type { RedisDelivery } from './event-source.ts';
import { slabOf } from './redis/slab.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const delivery = (n: number, bytes = 10): RedisDelivery => ({
  kind: 'redis',
  channel: String(n),
  ...{ slab: slabOf(Buffer.alloc(bytes)), begin: 0, end: bytes },
  receivedAtMs: n,
  redelivered: false,
});
const numbers = (burst: readonly RedisDelivery[]): number[] => burst.map(({ receivedAtMs }) => receivedAtMs);
const never = new AbortController().signal;

function queueOf(limits: { messages?: number; bytes?: number; burst?: number }) {
  const overflows: Overflow[] = [];
  const all = { messages: 100, bytes: 1e9, burst: 1000, ...limits };
  const queue = new BurstQueue<RedisDelivery>(all, (overflow) => overflows.push(overflow));
  return { queue, overflows };
}

test('what waits is taken at once, in order, in bursts no larger than the limit', async () => {
  const { queue } = queueOf({ burst: 3 });
  for (let n = 1; n <= 7; n++) queue.push(delivery(n));
  expect(numbers(await queue.take(never))).toEqual([1, 2, 3]);
  queue.push(delivery(8));
  expect(numbers(await queue.take(never))).toEqual([4, 5, 6]);
  expect(numbers(await queue.take(never))).toEqual([7, 8]);
  expect(queue.length).toBe(0);
});

test('a waiting consumer wakes with everything that came in the same turn', async () => {
  const { queue } = queueOf({});
  const taken = queue.take(never);
  queue.push(delivery(1));
  queue.push(delivery(2));
  expect(numbers(await taken)).toEqual([1, 2]);
});

test('at the bound the oldest are dropped, counted and told together', async () => {
  vi.useFakeTimers();
  const { queue, overflows } = queueOf({ messages: 3 });
  for (let n = 1; n <= 10; n++) queue.push(delivery(n));
  expect(queue.length).toBe(3);
  expect(overflows).toEqual([]);
  vi.advanceTimersByTime(1000);
  vi.useRealTimers();
  expect(overflows).toEqual([{ fromMs: 1, toMs: 7, lost: 7 }]);
  expect(numbers(await queue.take(never))).toEqual([8, 9, 10]);
});

test('bytes are a bound as well, but one huge message is still let through', async () => {
  const { queue, overflows } = queueOf({ bytes: 1000 });
  queue.push(delivery(1, 300));
  queue.push(delivery(2, 300));
  queue.push(delivery(3, 300));
  expect(numbers(await queue.take(never))).toEqual([2, 3]);
  queue.push(delivery(4, 5000));
  expect(numbers(await queue.take(never))).toEqual([4]);
  queue.flush();
  expect(overflows).toEqual([{ fromMs: 1, toMs: 1, lost: 1 }]);
});

test('what was taken counts for no bound any more, also while the rest waits', async () => {
  const { queue, overflows } = queueOf({ bytes: 1100, burst: 1 });
  queue.push(delivery(0, 300));
  for (let n = 1; n <= 20; n++) {
    queue.push(delivery(n, 300));
    expect(numbers(await queue.take(never))).toEqual([n - 1]);
  }
  queue.flush();
  expect(overflows).toEqual([]);
});

test.each([
  ['that overflows', 2],
  ['that is never empty', 2_000_000],
])('a queue %s keeps no memory of what is gone', async (_title, messages) => {
  const { queue } = queueOf({ messages, bytes: Infinity, burst: 1 });
  const same = delivery(1);
  queue.push(same);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 1_000_000; n++) {
    queue.push(same);
    if (messages > 2) await queue.take(never);
  }
  collectGarbage();
  expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(4);
  expect(queue.length).toBeLessThanOrEqual(2);
});

test('a queue that overflows for long holds no more than its bound', async () => {
  const { queue, overflows } = queueOf({ messages: 2000, burst: 500 });
  for (let n = 0; n < 100_000; n++) {
    queue.push(delivery(n));
    if (n % 5000 === 0) await queue.take(never);
  }
  queue.flush();
  const taken: number[] = [];
  while (queue.length > 0) taken.push(...numbers(await queue.take(never)));
  expect(taken).toEqual(Array.from({ length: 2000 }, (_, n) => 98_000 + n));
  expect(overflows.reduce((sum, { lost }) => sum + lost, 0)).toBeGreaterThan(85_000);
});

test('an abort ends the wait with an empty burst', async () => {
  const { queue } = queueOf({});
  const controller = new AbortController();
  const taken = queue.take(controller.signal);
  controller.abort();
  expect(await taken).toEqual([]);
});

test('standing by hands out nothing and forgets what is old, which is no overflow', async () => {
  const overflows: Overflow[] = [];
  const queue = new BurstQueue<RedisDelivery>({ messages: 5, bytes: 1e9, burst: 10 }, (o) => overflows.push(o), 100);
  for (const ms of [1, 2, 150, 240]) queue.push(delivery(ms));
  const taken = queue.take(never);
  expect(queue.length).toBe(2);
  for (const ms of [241, 242, 243, 244]) queue.push(delivery(ms));
  expect(queue.goLive(244)).toEqual({ fromMs: 1, toMs: 150, lost: 3 });
  expect(numbers(await taken)).toEqual([240, 241, 242, 243, 244]);
  queue.flush();
  expect(overflows).toEqual([]);
});

test('standing by through a silence after a burst, what is old is forgotten as well, and never handed out', async () => {
  const queue = new BurstQueue<RedisDelivery>({ messages: 5, bytes: 1e9, burst: 10 }, () => undefined, 100);
  for (const ms of [1, 2, 60]) queue.push(delivery(ms));
  queue.forget(103);
  expect(queue.length).toBe(1);
  queue.push(delivery(70));
  expect(queue.goLive(165)).toEqual({ fromMs: 1, toMs: 60, lost: 3 });
  expect(numbers(await queue.take(never))).toEqual([70]);
});

test('standing by for less than it may remember, nothing is forgotten', async () => {
  const queue = new BurstQueue<RedisDelivery>({ messages: 5, bytes: 1e9, burst: 10 }, () => undefined, 100);
  queue.push(delivery(1));
  expect(queue.goLive(101)).toBeNull();
  expect(numbers(await queue.take(never))).toEqual([1]);
  queue.push(delivery(2));
  expect(numbers(await queue.take(never))).toEqual([2]);
});
