import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '@meadow/testkit';
import { test } from 'vitest';
import { startBrokers } from './brokers.ts';
import { killAndRestart, killWithFeeder, seededRandom } from './chaos.ts';
import { startLoad } from './load.ts';
import { expectExactly, expectExactlyButForGaps } from './promises.ts';
import { startSystem } from './system.ts';

test('whatever is killed in whatever order: RabbitMQ exact, Redis exact but for gaps that are reported', async () => {
  const { seed, random } = seededRandom();
  await using brokers = await startBrokers();
  await using system = await startSystem({ clusters: brokers.clusters });
  await using load = await startLoad(brokers.clusters, 2_500);
  await delay(3_000);
  const kills = await killAndRestart(system, { parts: [...system.parts.keys()], rounds: 2, random });
  console.log(`seed ${seed}\n${kills.join('\n')}`);
  await delay(3_000);
  // what is in hand differs each time: ClickHouse may have stored all, none or the one table and not the other
  const writes = Array.from({ length: 4 }, () => ['ClickHouse', 'aggregator 1'] as const);
  for (const [receiver, feeder] of [['NATS', 'collector 1'] as const, ...writes]) {
    // only what works has something in hand
    const flows = async (): Promise<boolean> =>
      ((await system.stored.newest()).get('rabbit') ?? 0) > Date.now() / 1000 - 2;
    await waitFor(flows, { what: 'events to be stored again', deadlineMs: 60_000 });
    await delay(random() * 1_500);
    await killWithFeeder(system, receiver, feeder);
  }
  await delay(3_000);
  const sent = await load.end();

  await expectExactly(system, sent, ['rabbit']);
  await expectExactlyButForGaps(system, sent, 'redis');
}, 240_000);
