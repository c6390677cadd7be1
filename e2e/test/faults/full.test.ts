import { openBus } from '@meadow/bus';
import { openSmallDisk, waitFor, type NatsServer } from '@meadow/testkit';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ask, metric } from './ask.ts';
import { startBrokers } from './brokers.ts';
import { startLoad } from './load.ts';
import { expectExactly, expectExactlyButForGaps } from './promises.ts';
import { startStandalone } from './standalone.ts';
import { startSystem, type System } from './system.ts';

const FULL_MS = 12_000;
const probe = await openSmallDisk(1);
await probe?.[Symbol.asyncDispose]();
/** A disk of a few megabytes takes the right to mount, which a container may not give. */
const mayMount = probe !== null;

test('the events stream at its bound: collectors hold back and say so, and nothing is missing afterwards', async () => {
  await using brokers = await startBrokers();
  const bounded = ({ nats }: { readonly nats: NatsServer }): Promise<void> => makeStream(nats, 30_000_000);
  await using system = await startSystem({ clusters: brokers.clusters, prepare: bounded });
  // nothing is promised of what is sent before the first subscription
  await waitFor(async () => isHearing(system), { what: 'both brokers to be heard', deadlineMs: 20_000 });
  await using load = await startLoad(brokers.clusters, 2_500);
  await system.aggregators[0]!.kill9();

  await waitFor(async () => heldBack(system), { what: 'the collector to hold back', deadlineMs: 40_000 });
  await delay(5_000);
  await system.aggregators[0]!.restart();
  await delay(3_000);
  const sent = await load.end();

  await expectExactly(system, sent, ['rabbit']);
  await expectExactlyButForGaps(system, sent, 'redis');
  expect(await lost(system)).toBe(0);
}, 180_000);

if (mayMount) {
  test('the disk of ClickHouse is full: events wait in NATS, and are stored once there is room', async () => {
    await using disk = (await openSmallDisk(512))!;
    await using brokers = await startBrokers();
    await using system = await startSystem({ clusters: brokers.clusters, clickhouse: { disk } });
    await using load = await startLoad(brokers.clusters, 2_500);
    await waitFor(async () => (await system.stored.counts()).size === 2, {
      what: 'both clusters to be stored',
      deadlineMs: 20_000,
    });

    disk.fill();
    await delay(FULL_MS);
    expect((await metric(system.aggregators[0]!, 'meadow_aggregator_retries_total')).get('')).toBeGreaterThan(0);
    disk.free();
    const sent = await load.end();

    await expectExactly(system, sent, ['rabbit', 'redis']);
    expect((await metric(system.aggregators[0]!, 'meadow_aggregator_buried_total')).get('')).toBe(0);
  }, 180_000);

  test('the disk of NATS is full: collectors hold back, and go on once there is room', async () => {
    await using disk = (await openSmallDisk(256))!;
    await using brokers = await startBrokers();
    await using system = await startSystem({ clusters: brokers.clusters, nats: { disk } });
    await using load = await startLoad(brokers.clusters, 2_500);
    await waitFor(async () => (await system.stored.counts()).size === 2, {
      what: 'both clusters to be stored',
      deadlineMs: 20_000,
    });

    disk.fill();
    await waitFor(async () => heldBack(system), { what: 'the collector to hold back', deadlineMs: 20_000 });
    await delay(FULL_MS);
    disk.free();
    // nobody supervises the server here, which locks JetStream for good once a write has failed
    await system.nats.kill9();
    await system.nats.restart();
    await delay(3_000);
    const sent = await load.end();

    await expectExactly(system, sent, ['rabbit']);
    await expectExactlyButForGaps(system, sent, 'redis');
    expect(await lost(system)).toBe(0);
  }, 180_000);

  test('the disk of Meadow on one machine is full: every page tells, and it goes on by itself once there is room', async () => {
    await using disk = (await openSmallDisk(640))!;
    await using brokers = await startBrokers();
    await using meadow = await startStandalone(disk, brokers.clusters);
    await using load = await startLoad(brokers.clusters, 1_500);
    await waitFor(async () => (await meadow.stored.counts()).size === 2, {
      what: 'both clusters to be stored',
      deadlineMs: 20_000,
    });

    disk.fill();
    const told = async (): Promise<boolean> => {
      const { problems } = await ask<{ problems: { at: string; says: string }[] }>(meadow, 'system.ingest');
      return problems.some(({ at, says }) => at === 'nats' && says.includes('JetStream does not answer'));
    };
    await waitFor(told, { what: 'the banner to tell', deadlineMs: 40_000, everyMs: 1_000 });
    await waitFor(() => /nats-server hangs .*MB free/.test(meadow.log()), {
      what: 'the log to tell',
      deadlineMs: 40_000,
    });
    expect(meadow.log()).not.toMatch(/nats-server hangs .*killing it/);
    disk.free();
    await waitFor(() => /nats-server hangs .*killing it/.test(meadow.log()), { what: 'a restart', deadlineMs: 20_000 });
    await delay(3_000);
    const sent = await load.end();

    await expectExactly(meadow, sent, ['rabbit']);
    await expectExactlyButForGaps(meadow, sent, 'redis');
    expect(meadow.log().match(/killing it/g)).toHaveLength(1);
  }, 240_000);
}

async function makeStream(nats: NatsServer, maxBytes: number): Promise<void> {
  await using bus = await openBus({ url: nats.url, name: 'test', signal: AbortSignal.timeout(10_000) });
  await bus.events.ensure({ maxBytes });
}

async function isHearing(system: System): Promise<boolean> {
  const connected = await metric(system.collectors[0]!, 'meadow_collector_connected');
  return [...connected.values()].filter((value) => value === 1).length === 2;
}

async function heldBack(system: System): Promise<boolean> {
  const retries = await metric(system.collectors[0]!, 'meadow_collector_publish_retries_total');
  return (retries.get('rabbit') ?? 0) > 0 && (retries.get('redis') ?? 0) > 0;
}

/** Events that NATS refused for good. */
async function lost(system: System): Promise<number> {
  const counted = await metric(system.collectors[0]!, 'meadow_collector_lost_events_total');
  return [...counted.values()].reduce((sum, count) => sum + count, 0);
}
