import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'vitest';
import { startBrokers } from './brokers.ts';
import { killAndRestart, seededRandom } from './chaos.ts';
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
  const sent = await load.end();

  await expectExactly(system, sent, ['rabbit']);
  await expectExactlyButForGaps(system, sent, 'redis');
}, 240_000);
