import { waitFor } from '@meadow/testkit';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startBrokers } from './brokers.ts';
import { killAndRestart, seededRandom } from './chaos.ts';
import { startLoad } from './load.ts';
import { expectExactly, expectExactlyButForGaps, spans } from './promises.ts';
import { startSystem } from './system.ts';

/** What the death of a collector may cost on Redis. Seconds. */
const OVERLAP = 2;

test('two of everything, either killed at any time: RabbitMQ exact, Redis misses two seconds at most', async () => {
  const { seed, random } = seededRandom();
  await using brokers = await startBrokers();
  await using system = await startSystem({ clusters: brokers.clusters, collectors: 2, aggregators: 2 });
  await using load = await startLoad(brokers.clusters, 2_500);
  await waitFor(async () => (await system.stored.counts()).size === 2, {
    what: 'both clusters to be stored',
    deadlineMs: 30_000,
  });
  const kills: string[] = [];
  for (const pair of ['collector', 'aggregator']) {
    const parts = random() < 0.5 ? [`${pair} 1`, `${pair} 2`] : [`${pair} 2`, `${pair} 1`];
    for (const part of parts) {
      kills.push(...(await killAndRestart(system, { parts: [part], rounds: 1, random })));
      // the promise is about the loss of either, not of both: the one that came back has to have its share again
      await delay(10_000);
    }
  }
  console.log(`seed ${seed}\n${kills.join('\n')}`);
  const sent = await load.end();

  await expectExactly(system, sent, ['rabbit']);
  const missing = await expectExactlyButForGaps(system, sent, 'redis');
  for (const { from, to, count } of spans(missing)) {
    expect(to - from, `${count} events are missing in a row`).toBeLessThan(OVERLAP);
  }
}, 240_000);
