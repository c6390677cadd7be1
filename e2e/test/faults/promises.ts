import { waitFor } from '@meadow/testkit';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { factsOf, namedFactsOf } from './facts.ts';
import type { Gap } from './stored.ts';
import type { System } from './system.ts';
import type { SentEvent } from './traffic.ts';

/** After the last fault is over, what waits is stored within this. */
const ARRIVAL_MS = process.env['MEADOW_FAULTS_LONG'] === '1' ? 600_000 : 90_000;
/** A surplus shows after the last event was stored: a second look is taken after this. */
const SECOND_LOOK_MS = 2_000;
/** Celery's nodes, the broker and the collector are not at the same instant: a gap may begin or end so much beside it. Seconds. */
const EDGE = 0.1;

/** Everything that these clusters sent is stored, once, in every table and rollup. */
export async function expectExactly(
  system: Pick<System, 'stored'>,
  sent: ReadonlyMap<string, readonly SentEvent[]>,
  clusters: readonly string[],
): Promise<void> {
  const events = (cluster: string): readonly SentEvent[] => sent.get(cluster) ?? [];
  for (const cluster of clusters) {
    const arrived = async (): Promise<boolean> =>
      ((await system.stored.counts()).get(cluster) ?? 0) >= events(cluster).length;
    const what = `${events(cluster).length} events of ${cluster} in the store`;
    await waitFor(arrived, { what, deadlineMs: ARRIVAL_MS, everyMs: 300 }).catch(async (error: unknown) => {
      throw new Error(`${cluster}: ${await missingSpans(system, cluster, events(cluster))}`, { cause: error });
    });
  }
  await delay(SECOND_LOOK_MS);
  for (const cluster of clusters) {
    const facts = await system.stored.facts(cluster);
    const story = facts.repeated === 0 ? '' : `: ${JSON.stringify(await system.stored.repeats(cluster))}`;
    expect(facts, `${cluster}${story}`).toEqual(factsOf(events(cluster)));
    expect(await system.stored.namedFacts(cluster), cluster).toEqual(namedFactsOf(events(cluster)));
  }
}

/**
 * What was sent is stored once, but for events that fell into a gap that Meadow reports itself.
 * @returns the missing events
 */
export async function expectExactlyButForGaps(
  system: Pick<System, 'stored'>,
  all: ReadonlyMap<string, readonly SentEvent[]>,
  cluster: string,
): Promise<SentEvent[]> {
  const sent = all.get(cluster) ?? [];
  await settled(system, cluster, sent);
  const ids = await system.stored.ids(cluster);
  const heard = sent.filter(({ id }) => ids.has(id));
  expect(await system.stored.facts(cluster)).toEqual(factsOf(heard));
  const missing = sent.filter(({ id }) => !ids.has(id));
  const gaps = await system.stored.gaps(cluster);
  const unexplained = missing.filter(({ at }) => !gaps.some(({ from, to }) => from - EDGE <= at && at <= to + EDGE));
  const first = unexplained.slice(0, 10).map(({ id, type, at }) => `${type} ${id} at ${clock(at)}`);
  const story = `of ${toldSpans(sent).join(', ')}, missing outside of every reported gap: ${first.join(', ')}; reported: ${told(gaps)}`;
  expect(toldSpans(unexplained), story).toEqual([]);
  for (const gap of gaps) expect(gap.estimatedEvents, `size of the gap ${told([gap])}`).not.toBeNull();
  return missing;
}

/** Waits until the last events are stored and nothing more comes. */
async function settled(system: Pick<System, 'stored'>, cluster: string, sent: readonly SentEvent[]): Promise<void> {
  const end = sent.at(-1)?.at ?? 0;
  await waitFor(async () => ((await system.stored.newest()).get(cluster) ?? 0) >= end - 1e-3, {
    what: `the last event of ${cluster} in the store`,
    deadlineMs: ARRIVAL_MS,
    everyMs: 300,
  });
  let last = -1;
  await waitFor(
    async () => {
      const now = (await system.stored.counts()).get(cluster) ?? 0;
      const same = now === last;
      last = now;
      return same;
    },
    { what: `${cluster} to come to rest`, deadlineMs: ARRIVAL_MS, everyMs: SECOND_LOOK_MS },
  );
}

async function missingSpans(
  system: Pick<System, 'stored'>,
  cluster: string,
  sent: readonly SentEvent[],
): Promise<string> {
  const ids = await system.stored.ids(cluster);
  const missing = sent.filter(({ id }) => !ids.has(id));
  return `${missing.length} of ${sent.length} are not in the store: ${toldSpans(missing).join(', ')}; reported gaps: ${told(await system.stored.gaps(cluster))}`;
}

export interface Span {
  /** Unix seconds */
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Runs of events with less than half a second between. */
export function spans(events: readonly SentEvent[]): Span[] {
  const found: Span[] = [];
  for (const { at } of events) {
    const last = found.at(-1);
    if (last !== undefined && at - last.to < 0.5) found[found.length - 1] = { ...last, to: at, count: last.count + 1 };
    else found.push({ from: at, to: at, count: 1 });
  }
  return found;
}

const toldSpans = (events: readonly SentEvent[]): string[] =>
  spans(events).map(({ from, to, count }) => `${count} from ${clock(from)} to ${clock(to)}`);

function told(gaps: readonly Gap[]): string {
  return (
    gaps
      .map(({ reason, from, to, estimatedEvents }) => `${reason} ${clock(from)} to ${clock(to)} (${estimatedEvents})`)
      .join(', ') || 'none'
  );
}

const clock = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(11, 23);
