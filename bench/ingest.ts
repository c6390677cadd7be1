import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { atLeast, atMost, mapValues, print, round, type Figure, none } from './figure.ts';
import { flowerCost } from './flower.ts';
import { startLoad, UNBOUNDED, type Load } from './load.ts';
import { cpuSeconds } from './processes.ts';
import { startSystem, type System } from './system.ts';
import { BEATING_WORKERS, SHAPES, type Sent, type Shape } from './traffic.ts';

/** The generator waits when this many events are under way: the question is throughput, not how much fits in a socket. */
const UNDER_WAY = 250_000;
/** The same for events of megabytes. */
const LARGE_UNDER_WAY = 40;
/** Nothing new for so long is the end of it: whatever hangs that long is lost to whoever waits for it. */
const QUIET_MS = 60_000;

/** How many of each there are unless told; heartbeats go by time. */
const EVENTS: Readonly<Record<Shape, number>> = {
  ...{ mixed: 300_000, batched: 300_000, unbatched: 300_000, args: 200_000, soak: 300_000, timed: 300_000 },
  ...{ tracebacks: 200, heartbeats: 2_500 * 60 },
};

/**
 * Real shapes through the whole pipeline, Redis to ClickHouse, on this machine: one JSON line with rate, CPU per event and
 * process, memory, and what was lost or stored twice.
 */
export async function ingest(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      shape: { type: 'string', default: 'mixed' },
      events: { type: 'string' },
      unbatched: { type: 'string', default: '0.1' },
      rate: { type: 'string' },
    },
  });
  const shape = SHAPES.find((known) => known === values.shape);
  if (shape === undefined) throw new Error(`--shape takes ${SHAPES.join(', ')}`);
  const wanted = Number(values.events ?? EVENTS[shape]);
  const unbatchedShare = Number(values.unbatched);
  // heartbeats come as time passes: as fast as it goes would be another question
  const rate = Number(values.rate ?? (shape === 'heartbeats' ? 2_500 : 0));
  if (!(rate >= 0)) throw new Error('--rate takes events per second, 0 for as fast as it goes');
  if (!Number.isInteger(wanted) || wanted < 1 || !(unbatchedShare >= 0 && unbatchedShare <= 1)) {
    throw new Error('--events takes a whole number, --unbatched a share from 0 to 1');
  }

  await using system = await startSystem(['aggregator', 'collector']);
  const redisBefore = cpuSeconds(system.redisPid);
  await using load = startLoad({
    ...{ redisPort: system.redisPort, shape, unbatchedShare, events: wanted, seconds: UNBOUNDED, rate },
    underWay: shape === 'tracebacks' ? LARGE_UNDER_WAY : shape === 'heartbeats' ? UNBOUNDED : UNDER_WAY,
  });
  const began = performance.now();
  const counted = await follow(system, load, shape, began);
  const sent = load.sent();
  const seconds = (counted.at - began) / 1000;
  const cpu = mapValues(system.cpu(), (used) => round((used * 1e6) / sent.events));
  const total = round(Object.values(cpu).reduce((sum, value) => sum + value, 0));
  const truth = shape === 'heartbeats' ? await heartbeats(system, sent) : await tasks(system, sent);
  const rss = system.rss();
  const perSecond = Math.round(sent.events / seconds);
  const figures: Record<string, Figure> = {
    lost: none(truth.lost),
    duplicated: none(truth.duplicated),
    ...(shape === 'tracebacks' || shape === 'heartbeats'
      ? {}
      : {
          collector_cpu_us: atMost(cpu['collector'] ?? NaN, shape === 'unbatched' ? 10 : 4),
          pipeline_cpu_us: atMost(total, 12),
          ...(rate === 0 ? { events_per_second: atLeast(perSecond, 50_000) } : {}),
        }),
    collector_peak_mb: atMost(rss['collector']?.peak ?? NaN, 200),
    aggregator_peak_mb: atMost(rss['aggregator']?.peak ?? NaN, 200),
  };
  const flower = await flowerCost(shape, unbatchedShare);
  print(
    'ingest',
    {
      ...{ shape, events: sent.events, seconds: round(seconds), events_per_second: perSecond },
      cpu_us_per_event: { ...cpu, total },
      outside_cpu_us_per_event: {
        redis: round(((cpuSeconds(system.redisPid) - redisBefore) * 1e6) / sent.events),
        generator: round((load.cpu() * 1e6) / sent.events),
      },
      unheard_messages: load.unheard(),
      ...truth,
      rss_mb: rss,
      flower,
      ...(typeof flower === 'string' ? { flower: null, no_flower: flower } : {}),
    },
    figures,
  );
}

/** Follows the count of what is stored until it is all there, and says on stderr how far it is. */
async function follow(system: System, load: Load, shape: Shape, began: number): Promise<{ at: number }> {
  // asked again and again, so it has to cost nothing: without a condition no row is read
  const query =
    shape === 'heartbeats'
      ? 'SELECT max(processed) AS events FROM worker_samples'
      : 'SELECT count() AS events FROM task_events';
  const exact = "SELECT count() AS events FROM task_events WHERE NOT startsWith(type, 'meadow-')";
  let finished = false;
  load.finished.then(
    () => (finished = true),
    () => (finished = true),
  );
  let stored = 0;
  let changedAt = performance.now();
  let toldAt = began;
  for (;;) {
    const now = (await system.one(query).catch(() => ({ events: stored })))['events'] ?? 0;
    if (now !== stored) changedAt = performance.now();
    stored = now;
    load.stored(stored);
    const { events, byType } = load.sent();
    const expected = shape === 'heartbeats' ? events : events - (byType['worker-heartbeat'] ?? 0);
    if (finished && stored >= expected) {
      // what Meadow itself concludes is an event too
      if (shape === 'heartbeats' || ((await system.one(exact))['events'] ?? 0) >= expected) break;
    }
    if (performance.now() - changedAt > QUIET_MS) {
      // the generator waits for what is stored
      load.stop();
      break;
    }
    if (performance.now() - toldAt > 5_000) {
      toldAt = performance.now();
      process.stderr.write(`  ${Math.round((toldAt - began) / 1000)} s: ${events} published, ${stored} stored\n`);
    }
    await delay(500);
  }
  await load.finished;
  return { at: changedAt };
}

interface Truth {
  readonly lost: number;
  readonly duplicated: number;
}

/** Holds events, tasks and rollups against what was sent; all differences are 0 when nothing is lost or counted twice. */
async function tasks(system: System, { byType, tasks: sentTasks }: Sent): Promise<Truth & Record<string, unknown>> {
  const expected = Object.entries(byType).reduce((sum, [type, n]) => (type.startsWith('task-') ? sum + n : sum), 0);
  const stored = await system.one(
    "SELECT count() AS n, uniqExact(event_id) AS ids, max(length(traceback)) AS traceback FROM task_events WHERE NOT startsWith(type, 'meadow-')",
  );
  const rollup =
    'SELECT sum(sent) AS sent, sum(succeeded) AS succeeded, sum(failed) AS failed, sum(retried) AS retried FROM task_rollup';
  const kept = 'SELECT count() AS n, uniqExact(task_id) AS ids FROM tasks';
  // written side by side with the events: the last of them may be a moment behind
  const end = performance.now() + QUIET_MS;
  let counts = await system.one(rollup);
  let rows = await system.one(kept);
  const wrong = (): number => (rows['n'] ?? 0) - sentTasks + (counts['sent'] ?? 0) - (byType['task-sent'] ?? 0);
  while (wrong() !== 0 && performance.now() < end) {
    await delay(200);
    counts = await system.one(rollup);
    rows = await system.one(kept);
  }
  const gaps = await system.one('SELECT count() AS gaps, sum(estimated_events) AS events FROM ingest_gaps');
  return {
    lost: expected - (stored['ids'] ?? 0),
    reported_lost: gaps,
    duplicated: (stored['n'] ?? 0) - (stored['ids'] ?? 0),
    tasks: { sent: sentTasks, rows: rows['n'], ids: rows['ids'] },
    rollup_minus_sent: {
      sent: (counts['sent'] ?? 0) - (byType['task-sent'] ?? 0),
      succeeded: (counts['succeeded'] ?? 0) - (byType['task-succeeded'] ?? 0),
      failed: (counts['failed'] ?? 0) - (byType['task-failed'] ?? 0),
      retried: (counts['retried'] ?? 0) - (byType['task-retried'] ?? 0),
    },
    longest_traceback_kept: stored['traceback'],
  };
}

/** Heartbeats are thinned on purpose; what must not be lost is the newest of each worker. */
async function heartbeats(system: System, { events }: Sent): Promise<Truth & Record<string, unknown>> {
  const query = `SELECT count() AS n, uniqExact(worker) AS ids, countIf(processed > ${events - BEATING_WORKERS}) AS fresh FROM workers FINAL`;
  const end = performance.now() + QUIET_MS;
  let workers = await system.one(query);
  for (; (workers['fresh'] ?? 0) < BEATING_WORKERS && performance.now() < end; workers = await system.one(query)) {
    await delay(200);
  }
  const samples = await system.one('SELECT count() AS n, uniqExact(event_id) AS ids FROM worker_samples');
  return {
    lost: BEATING_WORKERS - (workers['fresh'] ?? 0),
    duplicated: (workers['n'] ?? 0) - (workers['ids'] ?? 0) + (samples['n'] ?? 0) - (samples['ids'] ?? 0),
    workers: workers['n'],
    samples: samples['n'],
  };
}
