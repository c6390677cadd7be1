import type { WorkerEvent } from '@meadow/celery';
import { expect, test } from 'vitest';
import { Loss } from './loss.ts';

const NAME = 'celery@a';
let now = 1_000;

function beat(loss: Loss, clock: number, at: number, more: Partial<WorkerEvent> = {}): void {
  const event = {
    type: 'worker-heartbeat',
    hostname: NAME,
    pid: 7,
    clock,
    timestamp: at,
    freq: 2,
    processed: 1,
    ...more,
  };
  loss.beat(event as WorkerEvent);
  loss.heard(event.hostname, event.pid ?? null, event.clock ?? null);
}

/** Clock values of a worker, as they come. */
const clocks = (loss: Loss, from: number, to: number, without: readonly number[] = []): void => {
  for (let clock = from; clock <= to; clock++) if (!without.includes(clock)) loss.heard(NAME, 7, clock);
};

/** A worker that has run for a minute with a clock that moves by events alone, the newest of which is 100. */
function steady(): Loss {
  const loss = new Loss();
  beat(loss, 1, now);
  clocks(loss, 2, 100);
  for (let tick = 0; tick < 12; tick++) loss.tick((now += 5));
  expect(loss.figures().clockHoles).toBe(0);
  return loss;
}

test('clock values that never came are counted to the last one', () => {
  const loss = steady();
  clocks(loss, 101, 300, [110, 111, 150, 290]);
  loss.tick((now += 5));
  // 290 may still be on its way
  expect(loss.figures().clockHoles).toBe(3);
  clocks(loss, 2_301, 2_400);
  loss.tick((now += 5));
  expect(loss.figures().clockHoles).toBe(4 + 2_000);
});

test('disorder and repeats are no loss', () => {
  const loss = steady();
  const order = Array.from({ length: 400 }, (_, index) => 101 + index);
  for (let index = 0; index + 20 < order.length; index += 7) order.splice(index + 19, 0, ...order.splice(index, 1));
  for (const clock of [...order, ...order.slice(-10)]) loss.heard(NAME, 7, clock);
  clocks(loss, 501, 600);
  loss.tick((now += 5));
  expect(loss.figures().clockHoles).toBe(0);
});

test('a clock that others move says nothing', () => {
  const loss = new Loss();
  beat(loss, 1, now);
  for (let tick = 0, clock = 1; tick < 30; tick++) {
    clocks(loss, (clock += 4), (clock += 90));
    loss.tick((now += 5));
  }
  expect(loss.figures().clockHoles).toBeNull();
});

test('a restart, pool children and clients are no holes', () => {
  const loss = steady();
  beat(loss, 5_000, now, { pid: 8, type: 'worker-online' });
  loss.heard(NAME, 9, 77_000);
  loss.heard('gen1@client', 1, 3);
  loss.heard(NAME, 8, 5_001);
  // the new process has to prove itself again
  expect(loss.tick((now += 5))).toBeNull();
  expect(loss.figures().clockHoles).toBeNull();
  for (let tick = 0; tick < 12; tick++) loss.tick((now += 5));
  expect(loss.figures().clockHoles).toBe(0);
});

test('missing heartbeats are counted, late and unasked-for ones are not', () => {
  const loss = new Loss();
  beat(loss, 1, 100);
  beat(loss, 2, 102.4);
  beat(loss, 3, 103, { freq: 5, processed: null });
  beat(loss, 4, 110.4);
  expect(loss.figures().missedHeartbeats).toBe(3);
  beat(loss, 5, 111, { type: 'worker-offline' });
  beat(loss, 6, 190, { type: 'worker-online' });
  beat(loss, 7, 192);
  expect(loss.figures().missedHeartbeats).toBe(3);
});

test('a silence of most workers is told, unless a gap is known for it', () => {
  const run = (explained: boolean) => {
    const loss = new Loss();
    const all = ['a', 'b', 'c', 'd'];
    for (const hostname of all) beat(loss, 1, 100, { hostname });
    expect(loss.tick(101)).toBeNull();
    if (explained) loss.explain(120);
    for (const hostname of all.slice(1)) beat(loss, 2, 120, { hostname });
    return loss.tick(121);
  };
  expect(run(false)).toEqual({ from: 101, to: 121 });
  expect(run(true)).toBeNull();
});

test('a worker that was silent for ten minutes is forgotten, and past the bound further ones are not watched', () => {
  const loss = steady();
  for (let tick = 0; tick < 121; tick++) loss.tick((now += 5));
  beat(loss, 1_000, now);
  loss.tick((now += 5));
  expect(loss.figures()).toEqual({ workers: 1, missedHeartbeats: 0, clockHoles: null });
  const crowd = new Loss();
  for (let index = 0; index < 50_100; index++) beat(crowd, 1, now, { hostname: `celery@${index}` });
  crowd.tick((now += 5));
  expect(crowd.figures().workers).toBe(50_000);
});

test('an event costs well below a tenth of a microsecond', () => {
  const loss = steady();
  const names = Array.from({ length: 50 }, (_, index) => `celery@worker-${index}.example.internal`);
  for (const hostname of names) beat(loss, 1, now, { hostname });
  const rounds = 400;
  let best = Infinity;
  for (let attempt = 0; attempt < 5; attempt++) {
    const began = performance.now();
    for (let round = 0; round < rounds; round++) {
      for (const name of names) for (let event = 0; event < 24; event++) loss.heard(name, 7, round * 24 + event);
    }
    best = Math.min(best, (performance.now() - began) / (rounds * names.length * 24));
  }
  // milliseconds an event; ten times the budget would still be noticed on a busy machine
  expect(best).toBeLessThan(0.001);
  process.stdout.write(`loss.heard: ${Math.round(best * 1e6)} ns an event\n`);
});
