import { startRabbitmq, startRedis, waitFor, type RabbitmqServer, type RedisServer } from '@meadow/testkit';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Fleet, Sender, type Seed } from './fleet.ts';

let redis: RedisServer;
let rabbit: RabbitmqServer;
let onRedis: Seed[];
let onRabbit: Seed[];

beforeAll(async () => {
  [redis, rabbit] = await Promise.all([startRedis(), startRabbitmq({ vhosts: ['one', 'two'] })]);
  onRedis = [1, 2, 3, 4].map((db) => ({ name: `redis${db}`, broker: redis.url.replace(/0$/, String(db)) }));
  onRabbit = ['one', 'two'].map((vhost) => ({ name: `rabbit-${vhost}`, broker: `${rabbit.amqpUrl}${vhost}` }));
}, 90_000);

afterAll(() => Promise.all([redis[Symbol.asyncDispose](), rabbit[Symbol.asyncDispose]()]));

const between = (low: number, high: number): Promise<void> => delay(low + Math.random() * (high - low));

test('kill -9 of either collector under load loses nothing, neither on Redis nor on RabbitMQ', async () => {
  const seeds = [...onRedis, ...onRabbit];
  await using fleet = await Fleet.start(seeds);
  const first = await fleet.collector();
  const second = await fleet.collector();
  await fleet.settled([first, second]);
  await using sender = new Sender();
  for (const seed of seeds) sender.start(seed, 300);
  await between(2_000, 4_000);
  await first.kill9();
  await fleet.settled([second], 15_000);
  const third = await fleet.collector();
  await fleet.settled([second, third]);
  await between(1_000, 2_000);
  await second.kill9();
  await fleet.settled([third], 15_000);
  await sender.stop();
  await fleet.everything(sender);
  expect(fleet.gaps).toEqual([]);
}, 120_000);

test('a third collector gets its share within ten seconds, a leaving one hands over at once, and nothing is lost', async () => {
  const seeds = [...onRedis, ...onRabbit];
  await using fleet = await Fleet.start(seeds);
  const services = [await fleet.collector(), await fleet.collector()];
  await fleet.settled(services);
  expect(await fleet.loads(services)).toEqual([3, 3]);
  await using sender = new Sender();
  for (const seed of seeds) sender.start(seed, 300);
  services.push(await fleet.collector());
  await fleet.settled(services, 10_000);
  expect(await fleet.loads(services)).toEqual([2, 2, 2]);
  await between(500, 1_500);
  const [leaving, ...staying] = services;
  await leaving?.stop();
  await fleet.settled(staying, 5_000);
  expect(await fleet.loads(staying)).toEqual([3, 3]);
  await sender.stop();
  await fleet.everything(sender);
  expect(fleet.gaps).toEqual([]);
}, 90_000);

test('without a standby on Redis, one gap covers all that is missing and estimates how much; RabbitMQ has none', async () => {
  const seeds = [...onRedis.slice(0, 1), ...onRabbit.slice(0, 1)];
  await using fleet = await Fleet.start(seeds);
  const only = await fleet.collector();
  await fleet.settled([only]);
  await using sender = new Sender();
  for (const seed of seeds) sender.start(seed, 500);
  await between(8_000, 9_000);
  await only.kill9();
  await between(3_000, 4_000);
  const next = await fleet.collector();
  await fleet.settled([next], 20_000);
  await delay(1_000);
  await sender.stop();
  await waitFor(() => fleet.missing('rabbit-one', sender).length === 0, {
    what: 'the rest from RabbitMQ',
    deadlineMs: 20_000,
  });
  const missing = fleet.missing('redis1', sender);
  expect(missing.length).toBeGreaterThan(0);
  expect(fleet.gaps).toMatchObject([{ cluster: 'redis1', reason: 'collector-down' }]);
  const [gap] = fleet.gaps;
  const { started_at = 0, ended_at = 0, estimated_events = 0 } = gap ?? {};
  for (const { at } of missing) {
    expect(at).toBeGreaterThanOrEqual(started_at);
    expect(at).toBeLessThanOrEqual(ended_at);
  }
  // the record is written every two seconds, so the gap may begin that much too early
  expect(estimated_events).toBeGreaterThan(missing.length * 0.7);
  expect(estimated_events).toBeLessThan(missing.length + 500 * 3.5);
}, 90_000);

test('while NATS is away everybody keeps what is theirs, and afterwards nothing is lost', async () => {
  const seeds = [...onRedis.slice(0, 2), ...onRabbit];
  await using fleet = await Fleet.start(seeds);
  const services = [await fleet.collector(), await fleet.collector()];
  await fleet.settled(services);
  const holders = await Promise.all(seeds.map(({ name }) => fleet.holder(name)));
  await using sender = new Sender();
  for (const seed of seeds) sender.start(seed, 300);
  await delay(2_000);
  await fleet.nats.kill9();
  await delay(20_000);
  await fleet.nats.restart();
  await waitFor(() => fleet.bus.connected, { what: 'NATS', deadlineMs: 15_000 });
  await fleet.settled(services, 20_000);
  await sender.stop();
  await fleet.everything(sender);
  expect(fleet.gaps).toEqual([]);
  expect(await Promise.all(seeds.map(({ name }) => fleet.holder(name)))).toEqual(holders);
}, 120_000);

test('kill -9 of the collector at 5,000 events/s on RabbitMQ loses nothing', async () => {
  const [seed] = onRabbit;
  if (seed === undefined) throw new Error('no cluster');
  await using fleet = await Fleet.start([seed]);
  const services = [await fleet.collector(), await fleet.collector()];
  await waitFor(async () => (await fleet.status(seed.name))?.standby, { what: 'a standby', deadlineMs: 15_000 });
  await using sender = new Sender();
  sender.start(seed, 5_000, 50);
  await between(3_000, 4_000);
  const holder = await fleet.holder(seed.name);
  await holder?.kill9();
  const other = services.find((service) => service !== holder);
  await waitFor(async () => (await fleet.holder(seed.name)) === other, { what: 'the other', deadlineMs: 15_000 });
  await between(500, 1_000);
  await sender.stop();
  await fleet.everything(sender, 40_000);
  expect(fleet.gaps).toEqual([]);
}, 90_000);
