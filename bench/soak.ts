import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { atMost, mapValues, print, round, type Figure, none } from './figure.ts';
import { startLoad, UNBOUNDED } from './load.ts';
import { memoryMb } from './processes.ts';
import { startSystem, type System } from './system.ts';

const SAMPLE_MS = 10_000;
/** Of the run, before memory is expected to stand still: caches fill and code is compiled. */
const WARM_UP = 0.25;
/**
 * What "flat" means: after the warm-up a line through the lowest memory of each minute rises by less than this an hour, and
 * the last third's mean is at most so much of the middle third's. Collections make the lows, not the highs, comparable.
 */
const FLAT_MB_PER_HOUR = 30;
const FLAT_RATIO = 1.05;
const PEAK_MB = 200;
/** What the pipeline may be behind at the end. Seconds. */
const SETTLED_MS = 30_000;

interface Sample {
  /** Seconds since the start. */
  readonly at: number;
  readonly rss: number;
  readonly heap: number;
  readonly external: number;
  /** Seconds; null for a service that tells none. */
  readonly lag: number | null;
}

/**
 * A constant rate for a while, with tasks that never end and workers whose names never come back: one JSON line with the
 * slope of each service's memory, its peak, the lag of its hop, and what was lost or stored twice.
 */
export async function soak(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { rate: { type: 'string', default: '10000' }, minutes: { type: 'string', default: '20' } },
  });
  const rate = Number(values.rate);
  const minutes = Number(values.minutes);
  if (!(rate > 0) || !(minutes > 0)) throw new Error('--rate takes events per second, --minutes a number above 0');

  await using system = await startSystem(['aggregator', 'collector', 'gateway']);
  await using load = startLoad({
    ...{ redisPort: system.redisPort, shape: 'soak', unbatchedShare: 0.1, rate },
    ...{ events: UNBOUNDED, seconds: minutes * 60, underWay: UNBOUNDED },
  });
  const samples: Record<string, Sample[]> = {};
  const began = performance.now();
  const over = load.finished.then(() => true);
  while (!(await Promise.race([over, delay(SAMPLE_MS, false)]))) {
    const at = (performance.now() - began) / 1000;
    for (const [name, service] of Object.entries(system.services)) {
      (samples[name] ??= []).push(await sample(service.pid, service.url, at));
    }
    const told = mapValues(samples, (all) => `${all.at(-1)?.rss ?? 0} MB, lag ${all.at(-1)?.lag ?? '-'} s`);
    process.stderr.write(`  ${Math.round(at)} s: ${load.sent().events} published; ${JSON.stringify(told)}\n`);
  }
  const seconds = (performance.now() - began) / 1000;
  const sent = load.sent();
  const expected = sent.events - (sent.byType['worker-heartbeat'] ?? 0);
  const settled = performance.now();
  let stored = await counts(system);
  while (stored.n < expected && performance.now() - settled < SETTLED_MS) {
    await delay(250);
    stored = await counts(system);
  }
  const trends = mapValues(samples, trendOf);
  const figures: Record<string, Figure> = {
    lost: none(expected - stored.ids),
    duplicated: none(stored.n - stored.ids),
  };
  for (const [name, trend] of Object.entries(trends)) {
    figures[`${name}_mb_per_hour`] = atMost(trend.mb_per_hour, FLAT_MB_PER_HOUR);
    figures[`${name}_last_third_by_middle`] = atMost(trend.last_by_middle, FLAT_RATIO);
    figures[`${name}_peak_mb`] = atMost(trend.peak_mb, PEAK_MB);
  }
  print(
    'soak',
    {
      ...{ events: sent.events, seconds: round(seconds), events_per_second: Math.round(sent.events / seconds) },
      settle_seconds: round((performance.now() - settled) / 1000),
      tasks: sent.tasks,
      services: trends,
      rss_mb: system.rss(),
    },
    figures,
  );
}

async function counts(system: System): Promise<{ n: number; ids: number }> {
  const row = await system.one(
    // what Meadow concludes itself was sent by nobody
    "SELECT count() AS n, uniqExact(event_id) AS ids FROM task_events WHERE NOT startsWith(type, 'meadow-')",
  );
  return { n: row['n'] ?? 0, ids: row['ids'] ?? 0 };
}

async function sample(pid: number, url: string, at: number): Promise<Sample> {
  const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) })).text();
  const metric = (pattern: RegExp): number | null => {
    const value = pattern.exec(text)?.[1];
    return value === undefined ? null : Number(value);
  };
  const mb = (bytes: number | null): number => Math.round((bytes ?? NaN) / 1e6);
  return {
    ...{ at, rss: memoryMb(pid).now },
    heap: mb(metric(/^nodejs_heap_size_used_bytes(?:\{[^}]*\})? (\S+)/m)),
    external: mb(metric(/^nodejs_external_memory_bytes(?:\{[^}]*\})? (\S+)/m)),
    lag: metric(/^meadow_(?:collector|aggregator)_lag_seconds(?:\{[^}]*\})? (\S+)/m),
  };
}

interface Trend {
  readonly mb_per_hour: number;
  readonly last_by_middle: number;
  readonly peak_mb: number;
  readonly mean_heap_mb: number;
  readonly mean_external_mb: number;
  readonly longest_lag_seconds: number;
}

function trendOf(all: readonly Sample[]): Trend {
  const last = all.at(-1)?.at ?? 0;
  const warm = all.filter(({ at }) => at >= last * WARM_UP);
  const byMinute = Map.groupBy(warm, ({ at }) => Math.floor(at / 60));
  const lows = [...byMinute].map(([minute, some]) => ({ x: minute / 60, y: Math.min(...some.map(({ rss }) => rss)) }));
  const middle = all.filter(({ at }) => at >= last / 3 && at < (last * 2) / 3);
  const end = all.filter(({ at }) => at >= (last * 2) / 3);
  return {
    mb_per_hour: round(slopeOf(lows), 1),
    last_by_middle: round(mean(end.map(({ rss }) => rss)) / mean(middle.map(({ rss }) => rss)), 3),
    peak_mb: Math.max(...all.map(({ rss }) => rss)),
    mean_heap_mb: Math.round(mean(warm.map(({ heap }) => heap))),
    mean_external_mb: Math.round(mean(warm.map(({ external }) => external))),
    longest_lag_seconds: round(Math.max(0, ...all.map(({ lag }) => lag ?? 0))),
  };
}

/** Of the line with the least squares; 0 for fewer than two points. */
function slopeOf(points: readonly { x: number; y: number }[]): number {
  const meanX = mean(points.map(({ x }) => x));
  const meanY = mean(points.map(({ y }) => y));
  const spread = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  return spread === 0 ? 0 : points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0) / spread;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
