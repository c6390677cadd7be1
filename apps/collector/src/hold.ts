import { bytesOf, examineBroker, type Burst, type EventGap, type EventSource } from '@meadow/broker';
import type { Bucket, EventStream, Requests } from '@meadow/bus';
import {
  createMask,
  askDoctorSubject,
  type ClusterDefinition,
  type GapRecord,
  type HeardRecord,
} from '@meadow/contract';
import { setImmediate } from 'node:timers/promises';
import { Heard } from './heard.ts';
import { HEARTBEAT_INTERVAL_MS } from './heartbeats.ts';
import { Intake } from './intake.ts';
import { ClusterFlow, type Flows } from './flow.ts';
import { Loss, LOSS_TICK_MS } from './loss.ts';
import { Publisher, ROUNDS_IN_FLIGHT } from './publisher.ts';
import { TOO_LARGE } from './too-large.ts';
import { openResults } from './results.ts';
import type { StatusReport } from './status.ts';
import type { Telemetry } from './telemetry.ts';

export interface HoldOptions {
  readonly definition: ClusterDefinition;
  readonly collector: string;
  readonly stream: EventStream;
  readonly requests: Requests;
  readonly heard: Bucket<HeardRecord>;
  /** What the collector that held the cluster before left behind. */
  readonly before: HeardRecord | null;
  readonly source: EventSource;
  readonly report: StatusReport;
  readonly telemetry: Telemetry;
  readonly flows: Flows;
  /** Sets who hears of gaps from now on. */
  readonly onGap: (listener: (gap: EventGap) => void) => void;
  /** The service ends: then what was taken may be published for a short while only. */
  readonly ending: AbortSignal;
}

/**
 * Letting go of a cluster takes at most so long, when the service ends and when it goes on: with the lease given back, less
 * than the 15 s that a standby keeps of what Redis tells once. What is not published by then is left to the next holder.
 */
const LAST_LET_GO_MS = 5_000;
const LET_GO_MS = 8_000;
/** At the end, what has arrived is taken until nothing comes for this long, at most for so long. */
const QUIET_MS = 100;
const LAST_BURSTS_MS = 1_500;
/** How many of a task's events share a message when a worker is busy: what a lost message holds while none was taken. */
const EVENTS_PER_MESSAGE = 4;

/**
 * Publishes a cluster's events until `signal` is aborted, and then what has been taken. What was taken is published even
 * if another has taken over meanwhile: repeats are dropped by their ids, a loss could not be healed.
 */
export async function holdCluster(options: HoldOptions, signal: AbortSignal): Promise<void> {
  const { definition, collector, stream, source, report, telemetry, before } = options;
  const { name } = definition;
  // publishing outlives the taking by the time it takes to drain
  const giveUp = new AbortController();
  const publisher = new Publisher({
    cluster: name,
    collector,
    stream,
    signal: giveUp.signal,
    onPublished: (events, bytes) => telemetry.published(name, events, bytes),
    onRetry: (error, waitMs) => telemetry.held(name, error, waitMs),
    onTooLarge: () => telemetry.undecodable(name, TOO_LARGE),
    onLost: (events, error) => telemetry.lost(name, events, error),
  });
  const loss = new Loss();
  const mask = createMask(definition.masking);
  const intake = new Intake({ cluster: name, mask }, publisher, loss);
  const flow = new ClusterFlow(name, {
    loss,
    connected: () => source.status.state === 'connected',
    rounds: () => ({ used: publisher.roundsInFlight, bound: ROUNDS_IN_FLIGHT }),
  });
  using _told = options.flows.add(flow);
  const totals = { messages: 0, events: 0 };
  let taking = false;
  const heard = new Heard(before, {
    cluster: name,
    collector,
    bucket: options.heard,
    whenPublished: (done) => publisher.settleWhenPublished(done),
    probe: async () => {
      const untilMs = await source.probe();
      // by then a burst that came before the sign is being taken
      await setImmediate();
      return taking ? null : untilMs;
    },
  });
  options.onGap((gap) => {
    const eventsPerMessage = totals.messages < 100 ? EVENTS_PER_MESSAGE : totals.events / totals.messages;
    const record = gapRecord(name, collector, gap, before, eventsPerMessage);
    loss.explain(record.ended_at);
    tellGap(record);
  });
  const tellGap = (record: GapRecord): void => {
    publisher.add('gap', `${JSON.stringify(record)}\n`);
    report.count({ gaps: 1 });
    telemetry.gap(name, record.reason, record.ended_at - record.started_at, record.estimated_events);
  };
  const watchLoss = setInterval(() => {
    const silence = loss.tick(Date.now() / 1000);
    telemetry.unheard(name, loss.figures());
    if (silence === null) return;
    const { from: started_at, to: ended_at } = silence;
    const why = { reason: 'heartbeats-missed', estimated_events: null } as const;
    tellGap({ cluster: name, collector, started_at, ended_at, ...why });
  }, LOSS_TICK_MS);
  const heartbeats = setInterval(() => intake.releaseHeartbeats(), HEARTBEAT_INTERVAL_MS);
  const take = async (burst: Burst): Promise<void> => {
    taking = true;
    let events = 0;
    let rejected = 0;
    let newest = 0;
    let bytes = 0;
    const now = Date.now() / 1000;
    for (const delivery of burst.deliveries) {
      bytes += bytesOf(delivery);
      const taken = intake.take(delivery, now);
      events += taken.events;
      rejected += taken.rejected.length;
      for (const code of taken.rejected) telemetry.undecodable(name, code);
      if (taken.newest > newest) newest = taken.newest;
    }
    const untilMs = burst.deliveries.at(-1)?.receivedAtMs ?? 0;
    const lagSeconds = newest === 0 ? null : Math.max(0, now - newest);
    const stored = flow.took({ messages: burst.deliveries.length, bytes, events, lagSeconds });
    publisher.settleWhenPublished(() => {
      burst.settle();
      stored();
      heard.published(untilMs);
    });
    heard.took(events);
    totals.messages += burst.deliveries.length;
    totals.events += events;
    telemetry.received(name, burst.deliveries.length, events, bytes);
    if (lagSeconds !== null) telemetry.lag(name, lagSeconds);
    report.count(events > 0 ? { events, rejected, lastEventAt: now } : { rejected });
    await publisher.room();
    taking = false;
  };
  const results = openResults({
    ...{ definition, publisher, mask, telemetry, requests: options.requests, clientName: `meadow ${collector}` },
    onStatus: (status) => report.results(status),
  });
  const examine = async () => (await examineBroker(definition, { signal })).findings;
  const deaf = (error: unknown): void => telemetry.doctorDeaf(name, error);
  void options.requests.answer(askDoctorSubject(name), examine, signal).catch(deaf);
  source.goLive(before === null ? null : before.heardUntil * 1000);
  let lastSign: Promise<number | null> = Promise.resolve(null);
  let endsAt = Infinity;
  const letGo = (): void => {
    lastSign = source.probe();
    const ms = options.ending.aborted ? LAST_LET_GO_MS : LET_GO_MS;
    endsAt = performance.now() + ms;
    // what is taken last waits for room, which there may never be
    setTimeout(() => giveUp.abort(), ms).unref();
  };
  signal.addEventListener('abort', letGo, { once: true });
  try {
    const everything = await takeAll(source.bursts[Symbol.asyncIterator](), take, signal);
    const untilMs = await lastSign;
    if (everything && untilMs !== null) publisher.settleWhenPublished(() => heard.published(untilMs));
  } finally {
    heard.stop();
    clearInterval(heartbeats);
    clearInterval(watchLoss);
    intake.releaseHeartbeats();
    await results[Symbol.asyncDispose]();
    await publisher.drain(Math.min(LET_GO_MS, endsAt - performance.now()));
    await heard.finish();
    giveUp.abort();
  }
}

/**
 * Takes bursts until `signal` is aborted, and then what has arrived already: Redis would not give it again.
 * @returns whether that was everything
 */
async function takeAll(
  bursts: AsyncIterator<Burst, void, void>,
  take: (burst: Burst) => Promise<void>,
  signal: AbortSignal,
): Promise<boolean> {
  let next = bursts.next();
  // a race against one long-lived promise would hold on to every burst ever taken: a waiter is made for each instead
  let wake: () => void = () => undefined;
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  const arrived = (waitMs: number | null): Promise<IteratorResult<Burst, void> | null> =>
    new Promise((resolve, reject) => {
      wake = () => resolve(null);
      next.then(resolve, reject);
      if (waitMs !== null) setTimeout(wake, waitMs);
    });
  while (!signal.aborted) {
    const result = await arrived(null);
    if (result === null) break;
    if (result.done === true) return true;
    await take(result.value);
    next = bursts.next();
  }
  signal.removeEventListener('abort', onAbort);
  const end = performance.now() + LAST_BURSTS_MS;
  while (performance.now() < end) {
    const result = await arrived(QUIET_MS);
    if (result === null || result.done === true) return true;
    await take(result.value);
    next = bursts.next();
  }
  return false;
}

function gapRecord(
  cluster: string,
  collector: string,
  gap: EventGap,
  before: HeardRecord | null,
  eventsPerMessage: number,
): GapRecord {
  const { reason, toMs, lost, kept, recentMessagesPerSecond } = gap;
  const fromMs = gap.fromMs ?? toMs;
  // the one before knew the rate of what came while nobody counted
  const eventsPerSecond =
    reason === 'collector-down' || recentMessagesPerSecond === null
      ? (before?.eventsPerSecond ?? null)
      : recentMessagesPerSecond * eventsPerMessage;
  const passed = eventsPerSecond === null ? null : (eventsPerSecond * (toMs - fromMs)) / 1000 - kept * eventsPerMessage;
  const events = lost === null ? passed : lost * eventsPerMessage;
  return {
    cluster,
    collector,
    started_at: fromMs / 1000,
    ended_at: toMs / 1000,
    reason,
    estimated_events: events === null ? null : Math.max(0, Math.round(events)),
  };
}
