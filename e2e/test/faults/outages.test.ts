import { waitFor } from '@meadow/testkit';
import { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ask, memoryMb, metric } from './ask.ts';
import { startBrokers } from './brokers.ts';
import { startLoad } from './load.ts';
import { expectExactly, expectExactlyButForGaps } from './promises.ts';
import { startSystem, type System } from './system.ts';

/** `npm run test:faults -- --long` takes the time that the promise names. */
const long = process.env['MEADOW_FAULTS_LONG'] === '1';
const CLICKHOUSE_DOWN_MS = long ? 600_000 : 35_000;
const NATS_DOWN_MS = long ? 60_000 : 25_000;
/** What the aggregator may take while ClickHouse is away, MB: two batches, its memory of tasks and Node itself. */
const AGGREGATOR_MB = 450;
/** What the collector may take while NATS is away, MB: its bounds are 64 MiB a Redis cluster, and 30 MB of rounds. */
const COLLECTOR_MB = 450;
/** 25 MB a second: the bound of a Redis cluster is reached long before NATS is back. */
const FLOOD_BYTES = 500_000;
const FLOOD_EVERY_MS = 20;

interface Ingest {
  readonly delayedSeconds: number | null;
  readonly problems: readonly { readonly at: string }[];
}

const ingest = async ({ gateway }: System): Promise<Ingest> =>
  (await ask<{ readonly ingest: Ingest }>(gateway, 'system.status')).ingest;

test(
  'ClickHouse is down for ten minutes: events wait in NATS, ingest is told as delayed, nothing is missing afterwards',
  async () => {
    await using brokers = await startBrokers();
    await using system = await startSystem({ clusters: brokers.clusters });
    await using load = await startLoad(brokers.clusters, 2_500);
    const [aggregator] = system.aggregators;
    const inTime = async (): Promise<boolean> => {
      const { delayedSeconds, problems } = await ingest(system);
      return delayedSeconds === 0 && problems.length === 0;
    };
    await waitFor(inTime, { what: 'the gateway to say that ingest is in time', deadlineMs: 30_000 });

    await system.clickhouse.kill9();
    const end = performance.now() + CLICKHOUSE_DOWN_MS;
    const delayed = async (): Promise<boolean> => {
      const { delayedSeconds, problems } = await ingest(system);
      return (delayedSeconds ?? 0) > 10 && problems.some(({ at }) => at === 'store');
    };
    await waitFor(delayed, { what: 'the gateway to say that ingest is delayed', deadlineMs: 30_000, everyMs: 500 });
    for (; performance.now() < end; await delay(1_000)) {
      expect(await memoryMb(aggregator!), 'memory of the aggregator, MB').toBeLessThan(AGGREGATOR_MB);
    }
    await system.clickhouse.restart();
    const sent = await load.end();

    await expectExactly(system, sent, ['rabbit', 'redis']);
    await waitFor(inTime, { what: 'the gateway to say that ingest is in time again', deadlineMs: 30_000 });
  },
  CLICKHOUSE_DOWN_MS * 2 + 180_000,
);

test(
  'NATS is down for a minute: RabbitMQ keeps the events, Redis loses what exceeds the bound and that is told',
  async () => {
    await using brokers = await startBrokers();
    await using system = await startSystem({ clusters: brokers.clusters });
    await using load = await startLoad(brokers.clusters, 2_500);
    const [collector] = system.collectors;
    await delay(2_000);

    await system.nats.kill9();
    const back = new AbortController();
    const redis = brokers.clusters.find(({ name }) => name === 'redis');
    const flooding = flood(redis?.broker ?? '', back.signal);
    for (const end = performance.now() + NATS_DOWN_MS; performance.now() < end; await delay(500)) {
      expect(await memoryMb(collector!), 'memory of the collector, MB').toBeLessThan(COLLECTOR_MB);
    }
    back.abort();
    await flooding;
    expect((await metric(collector!, 'meadow_collector_publish_retries_total')).get('rabbit')).toBeGreaterThan(0);
    await system.nats.restart();
    await delay(3_000);
    const sent = await load.end();

    await expectExactly(system, sent, ['rabbit']);
    const missing = await expectExactlyButForGaps(system, sent, 'redis');
    expect(missing.length).toBeGreaterThan(0);
    const overflows = (await system.stored.gaps('redis')).filter(({ reason }) => reason === 'overflow');
    expect(overflows.reduce((sum, { estimatedEvents }) => sum + (estimatedEvents ?? 0), 0)).toBeGreaterThan(0);
  },
  NATS_DOWN_MS * 2 + 180_000,
);

/** Messages that nobody understands, in pieces so small that they hold up nothing that is sent between them. */
async function flood(broker: string, signal: AbortSignal): Promise<void> {
  const client = new Redis(broker);
  const message = JSON.stringify({ body: 'x'.repeat(FLOOD_BYTES) });
  for (; !signal.aborted; await delay(FLOOD_EVERY_MS)) await client.publish('/0.celeryev/task.multi', message);
  client.disconnect();
}
