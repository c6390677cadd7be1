import { openBus, type Bus } from '@meadow/bus';
import { startNats } from '@meadow/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Publisher } from '../src/publisher.ts';

let nats: Awaited<ReturnType<typeof startNats>>;
let bus: Bus;

beforeAll(async () => {
  nats = await startNats();
  bus = await openBus({ url: nats.url, name: 'test', signal: AbortSignal.timeout(20_000) });
  await bus.events.ensure();
}, 30_000);

afterAll(async () => {
  await bus[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
});

function publisher(
  name: string,
  signal: AbortSignal,
): { publisher: Publisher; retries: number[]; published: () => number } {
  const retries: number[] = [];
  let count = 0;
  const made = new Publisher({
    cluster: 'prod',
    collector: name,
    stream: bus.events,
    signal,
    onPublished: (events) => (count += events),
    onRetry: (_, waitMs) => retries.push(waitMs),
    onLost: () => expect.unreachable(),
  });
  return { publisher: made, retries, published: () => count };
}

test('settles in order, and only what is on disk', async () => {
  const { publisher: rounds, published } = publisher('a', AbortSignal.timeout(20_000));
  const settled: number[] = [];
  for (let index = 0; index < 20_000; index++) {
    rounds.add('task', index % 8, `{"n":${index}}\n`);
    if (index % 100 === 0) {
      rounds.settleWhenPublished(() => settled.push(index));
      await rounds.room();
      expect(settled.length === 0 || (settled.at(-1) ?? 0) <= published()).toBe(true);
    }
  }
  await rounds.drain(5_000);
  expect(published()).toBe(20_000);
  expect(settled).toEqual(Array.from({ length: 200 }, (_, index) => index * 100));
});

test('holds back while NATS is away, keeps at most three rounds on their way, and loses nothing', async () => {
  const { publisher: rounds, retries, published } = publisher('b', AbortSignal.timeout(40_000));
  const { messages } = await bus.events.state();
  await nats.kill9();
  let added = 0;
  let settled = 0;
  const adding = (async () => {
    for (; added < 40_000; added++) {
      rounds.add('task', 0, `{"n":${added}}\n`);
      if (added % 100 === 99) {
        rounds.settleWhenPublished(() => (settled += 100));
        await rounds.room();
      }
    }
  })();
  await expect.poll(() => retries.length, { timeout: 15_000 }).toBeGreaterThan(2);
  expect(added).toBeLessThan(20_000);
  expect(settled).toBe(0);
  await nats.restart();
  await adding;
  await rounds.drain(15_000);
  expect([published(), settled]).toEqual([40_000, 40_000]);
  expect((await bus.events.state()).messages).toBeGreaterThan(messages);
}, 60_000);

test('a round that could not be published before the end settles nothing, nor does any after it', async () => {
  const stop = new AbortController();
  const { publisher: rounds } = publisher('c', stop.signal);
  await nats.kill9();
  let settled = 0;
  rounds.add('task', 0, '{}\n');
  rounds.settleWhenPublished(() => settled++);
  rounds.flush();
  await expect.poll(() => rounds.roundsInFlight).toBe(1);
  stop.abort();
  await nats.restart();
  await expect.poll(() => bus.connected, { timeout: 15_000 }).toBe(true);
  rounds.add('task', 0, '{}\n');
  rounds.settleWhenPublished(() => settled++);
  await rounds.drain(3_000);
  expect(settled).toBe(0);
}, 40_000);
