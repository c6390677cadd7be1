import { startRedis, waitFor } from '@meadow/testkit';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ask, metric } from './ask.ts';
import { openBlackHole } from './black-hole.ts';
import { startLoad } from './load.ts';
import { expectExactly } from './promises.ts';
import { startSystem, type System } from './system.ts';

const CLUSTERS = 20;
const WATCHED_MS = 8_000;
/** The budget of the other nineteen. Seconds. */
const LAG = 2;

interface Card {
  readonly name: string;
  readonly state: string;
  readonly status: { readonly error: { readonly code: string; readonly message: string } | null } | null;
}

test('one of twenty clusters swallowed by the network, at the start and later: the others keep up, its card says why', async () => {
  await using redis = await startRedis({ args: ['--databases', String(CLUSTERS)] });
  await using hole = await openBlackHole(redis.port);
  const names = Array.from({ length: CLUSTERS }, (_, db) => `c${db}`);
  const dead = names.at(-1) ?? '';
  const others = names.slice(0, -1);
  const address = (db: number, port: number): string => `redis://127.0.0.1:${port}/${db}`;
  const clusters = names.map((name, db) => ({ name, broker: address(db, name === dead ? hole.port : redis.port) }));
  await hole.swallow();
  await using system = await startSystem({ clusters });
  await waitConnected(system, others);
  // what it takes to make the tables is no lag
  await waitFor(async () => (await metric(system.aggregators[0]!, 'meadow_aggregator_partitions')).get('') === 8, {
    what: 'the aggregator to hold all partitions',
    deadlineMs: 30_000,
  });
  const direct = names.map((name, db) => ({ name, broker: address(db, redis.port) }));
  await using load = await startLoad(direct, 5_000 / CLUSTERS);

  await expectKeepUp(system, others, 'one dead from the start');
  await waitFor(async () => explains(await card(system, dead)), {
    what: 'the card to say what is wrong',
    deadlineMs: 20_000,
  });

  await hole.pass();
  await waitConnected(system, names);
  await expectKeepUp(system, names, 'all well');

  await hole.swallow();
  await expectKeepUp(system, others, 'one dead on the way');
  await waitFor(async () => explains(await card(system, dead)), {
    what: 'the card to say again what is wrong',
    deadlineMs: 40_000,
    everyMs: 200,
  });
  await hole.pass();

  const sent = await load.end();
  await expectExactly(system, sent, others);
}, 240_000);

/** Looks for a while; the worst that any of the clusters shows must be within the budget. */
async function expectKeepUp(system: System, names: readonly string[], when: string): Promise<void> {
  const worst = { collected: 0, stored: 0 };
  // what was sent first needs its time to arrive
  await delay(LAG * 1000);
  for (const end = performance.now() + WATCHED_MS; performance.now() < end; await delay(250)) {
    const [collected, stored] = await Promise.all([
      metric(system.collectors[0]!, 'meadow_collector_lag_seconds'),
      system.stored.newest(),
    ]);
    const now = Date.now() / 1000;
    for (const name of names) {
      worst.collected = Math.max(worst.collected, collected.get(name) ?? Infinity);
      worst.stored = Math.max(worst.stored, now - (stored.get(name) ?? 0));
    }
  }
  console.log(when, worst);
  expect(worst.collected, `${when}: lag from sender to collector`).toBeLessThan(LAG);
  expect(worst.stored, `${when}: lag from sender to store`).toBeLessThan(LAG);
}

async function waitConnected(system: System, names: readonly string[]): Promise<void> {
  await waitFor(
    async () => {
      const cards = await ask<Card[]>(system.gateway, 'clusters.list');
      return names.every((name) => cards.some((it) => it.name === name && it.state === 'connected'));
    },
    { what: `${names.length} clusters to be connected`, deadlineMs: 40_000, everyMs: 100 },
  );
}

async function card(system: System, name: string): Promise<Card | undefined> {
  return (await ask<Card[]>(system.gateway, 'clusters.list')).find((it) => it.name === name);
}

function explains(shown: Card | undefined): boolean {
  return shown?.state !== 'connected' && shown?.status?.error?.code === 'BROKER_TIMEOUT';
}
