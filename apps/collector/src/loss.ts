import type { WorkerEvent } from '@meadow/celery';

/** What of a cluster was not heard, as far as its workers' own clocks and heartbeats tell. Totals since the start. */
export interface LossFigures {
  /** Workers that beat lately. */
  readonly workers: number;
  /** Heartbeats that should have come: lost, or never sent because the worker was blocked. */
  readonly missedHeartbeats: number;
  /** At most so many events of workers with a steady clock were never heard; null while no clock is steady. */
  readonly clockHoles: number | null;
}

/** A span in which most workers missed heartbeats together: what was lost was lost on the way. Unix seconds. */
export interface Silence {
  readonly from: number;
  readonly to: number;
}

interface Sender {
  pid: number;
  /** Highest clock heard. */
  newest: number;
  /** Bit n: whether clock `newest - n` was heard. */
  heard: number;
  /** Clock values that left the window unheard since the last tick. */
  holes: number;
  /** Ticks in a row with holes (above 0) or without (below 0). */
  streak: number;
  steady: boolean;
  idleTicks: number;
  /** Sender's time of its newest heartbeat, Unix seconds; 0 before the first. */
  beatAt: number;
  missedNow: boolean;
}

/** Senders held; past it further workers are not watched for holes. About 200 bytes each. */
const MOST_SENDERS = 50_000;
/** How often `tick` is called. Milliseconds. */
export const LOSS_TICK_MS = 5_000;
/** A clock that ran for a minute without a hole moves by events alone; one with holes three ticks in a row does not. */
const STEADY_TICKS = 12;
const UNSTEADY_TICKS = 3;
/** A sender that is silent for so many ticks is forgotten: ten minutes. */
const FORGET_TICKS = 120;
/** A heartbeat this much later than its interval is one that did not come. */
const LATE = 1.5;
/** Fewer workers than this never make a silence of the whole cluster. */
const CROWD = 3;

/**
 * Watches Celery's Lamport clocks and heartbeats for what was not heard.
 *
 * A worker's clock grows by one with every event that it sends, so a value that never comes is an event that was never
 * heard, if nothing else moves the clock. Gossip between workers and remote control move it too: then holes mean nothing,
 * and since a worker does not tell, its clock has to prove itself (`steady`) before its holes count. What is counted is an
 * upper bound. Exact loss is measured from the workers' own counters, in the aggregator.
 */
export class Loss {
  readonly #senders = new Map<string, Sender>();
  // workers send their events in batches: mostly it is the same as before
  #lastName = '';
  #last: Sender | null = null;
  #missedHeartbeats = 0;
  #clockHoles = 0;
  #steady = 0;
  #beating = 0;
  #tickedAt = 0;
  #explainedUntil = 0;

  /** Every event that carries a clock, once. Allocates nothing; about 50 ns. */
  heard(hostname: string, pid: number | null | undefined, clock: number | null | undefined): void {
    if (hostname !== this.#lastName) {
      this.#lastName = hostname;
      this.#last = this.#senders.get(hostname) ?? null;
    }
    const sender = this.#last;
    // pool children and clients have clocks of their own, and other process ids
    if (sender === null || sender.pid !== pid || clock === null || clock === undefined) return;
    const ahead = clock - sender.newest;
    if (ahead <= 0) {
      // late within the window: heartbeats overtake buffered task events
      if (ahead > -32) sender.heard |= 1 << -ahead;
      return;
    }
    if (ahead === 1) {
      if (sender.heard >= 0) sender.holes++;
      sender.heard = (sender.heard << 1) | 1;
    } else if (ahead < 32) {
      sender.holes += ahead - ones(sender.heard >>> (32 - ahead));
      sender.heard = (sender.heard << ahead) | 1;
    } else {
      sender.holes += ahead - ones(sender.heard);
      sender.heard = 1;
    }
    sender.newest = clock;
  }

  /** Every event of a worker's life, before `heard`. */
  beat({ type, hostname, pid, clock, timestamp, freq, processed }: WorkerEvent): void {
    // what a control command asked for comes out of turn and tells another interval
    if (type === 'worker-heartbeat' && (processed === null || processed === undefined)) return;
    let sender = this.#senders.get(hostname);
    if (sender === undefined || sender.pid !== pid) {
      if (typeof pid !== 'number' || typeof clock !== 'number') return;
      if (sender === undefined && this.#senders.size >= MOST_SENDERS) return;
      // what came before its first word is not missed
      sender = { pid, newest: clock, heard: -1, holes: 0, streak: 0, steady: false, ...NEVER_BEAT };
      this.#senders.set(hostname, sender);
      this.#lastName = '';
    }
    sender.idleTicks = 0;
    if (type === 'worker-heartbeat' && sender.beatAt > 0 && typeof freq === 'number' && freq > 0) {
      const late = (timestamp - sender.beatAt) / freq;
      if (late > LATE) {
        this.#missedHeartbeats += Math.round(late) - 1;
        sender.missedNow = true;
      }
    }
    // after a goodbye no heartbeat is expected
    sender.beatAt = type === 'worker-offline' ? 0 : timestamp;
  }

  /** A gap that is told already, so that no silence is told for it too. Unix seconds. */
  explain(until: number): void {
    this.#explainedUntil = Math.max(this.#explainedUntil, until);
  }

  /** Judges what came since the last call. @param now Unix seconds @returns a silence of most workers, if there was one */
  tick(now: number): Silence | null {
    let beating = 0;
    let missed = 0;
    this.#steady = 0;
    for (const [hostname, sender] of this.#senders) {
      if (++sender.idleTicks > FORGET_TICKS) {
        this.#senders.delete(hostname);
        this.#lastName = '';
        continue;
      }
      if (sender.idleTicks === 1) beating++;
      if (sender.missedNow) missed++;
      sender.missedNow = false;
      this.#judgeClock(sender);
      if (sender.steady) this.#steady++;
    }
    this.#beating = beating;
    const from = this.#tickedAt === 0 ? now : this.#tickedAt;
    this.#tickedAt = now;
    const together = missed >= CROWD && missed > beating / 2 && from > this.#explainedUntil + LOSS_TICK_MS / 1000;
    return together ? { from, to: now } : null;
  }

  figures(): LossFigures {
    const clockHoles = this.#steady === 0 && this.#clockHoles === 0 ? null : this.#clockHoles;
    return { workers: this.#beating, missedHeartbeats: this.#missedHeartbeats, clockHoles };
  }

  #judgeClock(sender: Sender): void {
    if (sender.holes === 0) {
      sender.streak = Math.min(sender.streak, 0) - 1;
      if (sender.streak <= -STEADY_TICKS) sender.steady = true;
      return;
    }
    sender.streak = Math.max(sender.streak, 0) + 1;
    if (sender.streak >= UNSTEADY_TICKS) sender.steady = false;
    if (sender.steady) this.#clockHoles += sender.holes;
    sender.holes = 0;
  }
}

const NEVER_BEAT = { idleTicks: 0, beatAt: 0, missedNow: false };

/** Bits set in 32. */
function ones(bits: number): number {
  let rest = bits - ((bits >>> 1) & 0x55555555);
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333);
  return Math.imul((rest + (rest >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
