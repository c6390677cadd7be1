import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { removeFolder, tempFolder } from '@meadow/testkit';
import { Redis } from 'ioredis';
import { chromium, type Page } from 'playwright-core';
import { atMost, percentile, print, round } from './figure.ts';
import { startLoad, UNBOUNDED } from './load.ts';
import { envelope, taskTraffic } from './shapes.ts';
import { startSystem } from './system.ts';
import { timeOf } from './traffic.ts';

const BUDGET = { p95Ms: 300, inputMs: 100, interactiveMs: 1_000, assetBytes: 150_000 };
const WARM_UP_MS = 10_000;
/** Looks at the unfiltered list for so long. */
const FLOOD_MS = 20_000;
const KEYS = 40;
const MARKER = 'bench.marker';
/** Between the events of a marked task: longer than the page takes, so that each state is seen. */
const STEP_MS = 600;
const LOADS = 5;

const CHROMIUM_ARGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync'],
];

/**
 * From an event's publishing to its state in the page, while a load streams: of marked tasks in a filtered list, and of
 * whatever rows the unfiltered list shows; then how long a key takes to the next paint, and what the first page weighs.
 */
export async function screen(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { rate: { type: 'string', default: '5000' }, markers: { type: 'string', default: '100' } },
  });
  const rate = Number(values.rate);
  const markers = Number(values.markers);
  if (!(rate > 0) || !(markers > 0))
    throw new Error('--rate takes events per second, --markers how many tasks to follow');

  await using system = await startSystem(['aggregator', 'collector', 'gateway']);
  const base = system.services.gateway?.url ?? '';
  await using load = startLoad({
    ...{ redisPort: system.redisPort, shape: 'timed', unbatchedShare: 0.1, rate },
    ...{ events: UNBOUNDED, seconds: UNBOUNDED, underWay: UNBOUNDED },
  });
  await using stack = new AsyncDisposableStack();
  const client = new Redis(system.redisPort);
  stack.defer(() => client.disconnect());
  const profile = tempFolder('chromium');
  stack.defer(() => removeFolder(profile));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    args: CHROMIUM_ARGS,
    viewport: { width: 1440, height: 900 },
  });
  stack.defer(() => context.close());
  const page = await context.newPage();
  await page.addInitScript(watchRows);
  await delay(WARM_UP_MS);

  const first = await firstPage(page, `${base}/tasks`);
  const marked = await followMarkers(page, `${base}/tasks?query=name:${MARKER}`, client, markers);
  const flood = await followFlood(page, `${base}/tasks`);
  const input = await typeKeys(page);
  load.stop();
  await load.finished;

  const spread = (times: readonly number[]): object => ({
    ...{ seen: times.length, p50: percentile(times, 0.5), p95: percentile(times, 0.95), p99: percentile(times, 0.99) },
  });
  const p95 = (times: readonly number[]): number => percentile(times, 0.95) ?? NaN;
  print(
    'screen',
    {
      events_per_second: rate,
      ...{ marked_ms: { ...spread(marked.times), expected: marked.expected }, flood_ms: spread(flood) },
      ...{ key_to_paint_ms: spread(input), first_page: first, rss_mb: system.rss() },
    },
    {
      marked_unseen: atMost(marked.expected - marked.times.length, 0),
      marked_p95_ms: atMost(p95(marked.times), BUDGET.p95Ms),
      flood_p95_ms: atMost(p95(flood), BUDGET.p95Ms),
      key_to_paint_p95_ms: atMost(p95(input), BUDGET.inputMs),
      interactive_ms: atMost(first.interactive_ms, BUDGET.interactiveMs),
      script_and_style_bytes: atMost(first.script_and_style_bytes, BUDGET.assetBytes),
    },
  );
}

/** What `watchRows` leaves on the page. */
interface Seen {
  /** `<task id> <state>` → Unix milliseconds at which it was first in the document. */
  readonly seen: Record<string, number>;
  /** Milliseconds from navigation to a row and a field to type in. */
  interactiveMs: number;
  readonly keyMs: number[];
}

/** Runs in the page, before anything of its own. */
function watchRows(): void {
  const found: Seen = { seen: Object.create(null) as Record<string, number>, interactiveMs: 0, keyMs: [] };
  Object.assign(window, { bench: found });
  const look = (): void => {
    const now = performance.timeOrigin + performance.now();
    const rows = document.querySelectorAll('[data-row]');
    for (const row of rows) {
      const id = row.querySelector('a[title]')?.getAttribute('title') ?? '';
      const state = row.querySelector('[title]:not(a)')?.getAttribute('title') ?? '';
      if (id !== '') found.seen[`${id} ${state}`] ??= now;
    }
    if (found.interactiveMs === 0 && rows.length > 0 && document.querySelector('input') !== null) {
      requestAnimationFrame(() => (found.interactiveMs ||= performance.now()));
    }
  };
  new MutationObserver(look).observe(document, {
    childList: true,
    subtree: true,
    attributes: true,
    characterData: true,
  });
  addEventListener(
    'keydown',
    (event) => {
      // a task queued in an animation frame runs once that frame is painted
      requestAnimationFrame(() => setTimeout(() => found.keyMs.push(performance.now() - event.timeStamp)));
    },
    { capture: true },
  );
}

const seenOn = (page: Page): Promise<Seen> => page.evaluate(() => (window as unknown as { bench: Seen }).bench);

/** Loads it several times, each with an empty cache. */
async function firstPage(page: Page, url: string): Promise<{ interactive_ms: number; script_and_style_bytes: number }> {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  const times: number[] = [];
  const sizes = new Map<string, number>();
  const measuring: Promise<unknown>[] = [];
  page.on('requestfinished', (request) => {
    if (!['script', 'stylesheet'].includes(request.resourceType())) return;
    measuring.push(request.sizes().then(({ responseBodySize }) => sizes.set(request.url(), responseBodySize)));
  });
  for (let load = 0; load < LOADS; load++) {
    await page.goto(url);
    await page.waitForFunction(() => (window as unknown as { bench: Seen }).bench.interactiveMs > 0);
    times.push((await seenOn(page)).interactiveMs);
  }
  await Promise.all(measuring);
  page.removeAllListeners('requestfinished');
  return {
    interactive_ms: Math.round(percentile(times, 0.5) ?? NaN),
    script_and_style_bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
  };
}

/** Publishes tasks of one name step by step, and tells when each state was on the page. */
async function followMarkers(
  page: Page,
  url: string,
  client: Redis,
  count: number,
): Promise<{ times: number[]; expected: number }> {
  const steps = [['task-sent', 'task-received'], ['task-started'], ['task-succeeded']];
  const states = ['RECEIVED', 'STARTED', 'SUCCESS'];
  const published = new Map<string, number>();
  await page.goto(url);
  await delay(2_000);
  const follow = async (index: number): Promise<void> => {
    const uuid = randomUUID();
    for (const [step, types] of steps.entries()) {
      const now = Date.now();
      const { events } = taskTraffic(index * 100, now / 1000, { uuid, name: MARKER });
      published.set(`${uuid} ${states[step] ?? ''}`, now);
      for (const { type, json } of events.filter((event) => types.includes(event.type))) {
        const key = type.replaceAll('-', '.');
        await client.publish(`/0.celeryev/${key}`, envelope(json, key, 'celery@worker-1'));
      }
      await delay(STEP_MS);
    }
  };
  // a few at a time, so that the list holds all that are under way
  for (let index = 0; index < count; index += 5) {
    await Promise.all([0, 1, 2, 3, 4].map((offset) => follow(index + offset)));
  }
  await delay(2_000);
  const { seen } = await seenOn(page);
  const times = [...published].flatMap(([key, at]) => {
    const when = seen[key];
    return when === undefined ? [] : [round(when - at, 1)];
  });
  return { times, expected: published.size };
}

/** Of every task that the unfiltered list shows: how old it was when it came. */
async function followFlood(page: Page, url: string): Promise<number[]> {
  await page.goto(url);
  await page.locator('[data-row]').first().waitFor();
  const since = Date.now() + 1_000;
  await delay(FLOOD_MS);
  const { seen } = await seenOn(page);
  const first = new Map<string, number>();
  for (const [key, at] of Object.entries(seen)) {
    const id = key.split(' ')[0] ?? '';
    if (timeOf(id) >= since) first.set(id, Math.min(first.get(id) ?? Infinity, at));
  }
  return [...first].map(([id, at]) => round(at - timeOf(id), 1));
}

/** Types into the search field, a letter and its deletion in turn, while rows stream in. */
async function typeKeys(page: Page): Promise<number[]> {
  await page.getByRole('combobox', { name: 'Search tasks' }).click();
  const before = (await seenOn(page)).keyMs.length;
  for (let key = 0; key < KEYS; key++) {
    await page.keyboard.press(key % 2 === 0 ? 's' : 'Backspace');
    await delay(250);
  }
  return (await seenOn(page)).keyMs.slice(before).map((ms) => round(ms, 1));
}
