import { assign, BusError, type Bucket, type Bus, type Membership } from '@meadow/bus';
import { PARTITIONS } from '@meadow/contract';
import { setTimeout as delay } from 'node:timers/promises';
import type { InsertOptions } from './inserts.ts';
import type { PartitionTable, Places } from './partition-table.ts';
import { Pipeline } from './pipeline.ts';
import { partitionsOf, recoverWriter, tidy } from './recovery.ts';
import type { Telemetry } from './telemetry.ts';
import type { Intent } from './intent.ts';
import { Writer } from './writer.ts';

export interface TermOptions {
  readonly bus: Bus;
  readonly intents: Bucket<Intent>;
  readonly table: PartitionTable;
  readonly members: Membership;
  /** This replica among the members. */
  readonly member: string;
  /** Counts the terms of this process. */
  readonly number: number;
  readonly inserts: Omit<InsertOptions, 'signal'>;
  readonly telemetry: Telemetry;
  /** Ends the term in order: what was read is written, then the others may go on. */
  readonly stop: AbortSignal;
  /** Ends it at once. */
  readonly signal: AbortSignal;
}

const LOOK_INTERVAL_MS = 250;
/** Partitions that become free one after the other are taken together, if they do so within this time. */
const GATHER_MS = 1_500;
const TIDY_INTERVAL_MS = 10_000;
/** How often the stream is looked at, which NATS may have lost and somebody made anew. */
const STREAM_INTERVAL_MS = 2_000;
const NAMES = Array.from({ length: PARTITIONS }, (_, partition) => String(partition));

/**
 * One replica's share of the work, from its start to its end by `stop` or by an error, which a new term may mend. A term has
 * a writer of its own, with a name that is never used again; what a term that failed left behind is recovered by the next
 * term of the same replica, or by the first of the others when the replica is gone.
 *
 * The share changes with the members: a leg is a time with the same partitions. At its end everything that was read is
 * written; what is somebody else's by now is released, what is free is taken, and the next leg begins.
 */
export class Term {
  readonly #options: TermOptions;
  readonly #id: string;
  readonly #over = new AbortController();
  readonly #signal: AbortSignal;
  #stream = '';
  #freeSince: number | null = null;
  #lastTidy = performance.now();
  #lastLook = performance.now();

  private constructor(options: TermOptions) {
    this.#options = options;
    this.#id = `${options.member}.${options.number}`;
    this.#signal = AbortSignal.any([options.signal, this.#over.signal]);
  }

  /** Returns after an orderly stop. @throws what ended the term otherwise */
  static async run(options: TermOptions): Promise<void> {
    const term = new Term(options);
    try {
      await term.#run();
    } finally {
      term.#over.abort();
    }
  }

  async #run(): Promise<void> {
    const { bus, intents, inserts, table, stop, telemetry } = this.#options;
    const { stream, replaced } = await table.begin(async () => (await bus.events.state()).createdAt);
    this.#stream = stream;
    if (replaced) telemetry.streamReplaced();
    const { lastSeq } = await bus.events.state();
    const writer = await Writer.open(intents, this.#id, stream, { ...inserts, signal: this.#signal });
    let held: ReadonlyMap<number, number> = new Map();
    while (!stop.aborted) {
      held = await this.#leg(writer, held);
      if (stop.aborted) break;
      const wanted = this.#wanted();
      await table.release(this.#id, new Map([...held].filter(([partition]) => !wanted.has(partition))));
      const kept = new Map([...held].filter(([partition]) => wanted.has(partition)));
      const taken = await table.take(this.#id, new Set([...wanted].filter((partition) => !kept.has(partition))));
      held = new Map([...kept, ...taken]);
      telemetry.holds(held, lastSeq);
    }
    await table.release(this.#id, held);
    await writer.close();
  }

  /** Works on these partitions until there is a reason to change them. */
  async #leg(writer: Writer, held: ReadonlyMap<number, number>): Promise<ReadonlyMap<number, number>> {
    const { bus, inserts, stop, telemetry } = this.#options;
    const turn = new AbortController();
    const until = AbortSignal.any([stop, turn.signal]);
    const { store, poolOf } = inserts;
    const parts: [Promise<ReadonlyMap<number, number>>, Promise<void>] = [
      held.size === 0
        ? Promise.resolve(held)
        : Pipeline.run({ bus, store, poolOf, writer, telemetry, positions: held, until, signal: this.#signal }),
      this.#watch(held, until).finally(() => turn.abort()),
    ];
    try {
      const [positions] = await Promise.all(parts);
      return positions;
    } catch (error) {
      this.#over.abort(error);
      turn.abort();
      await Promise.allSettled(parts);
      throw error;
    }
  }

  /** Returns when the partitions held should be others, or `until` is aborted. @throws when they are another's already */
  async #watch(held: ReadonlyMap<number, number>, until: AbortSignal): Promise<void> {
    const { table, telemetry } = this.#options;
    while (!until.aborted) {
      await this.#checkStream();
      const now = await table.read().catch(() => null);
      if (now !== null) {
        const lost = [...held.keys()].filter((partition) => now.places[partition]?.writer !== this.#id);
        if (lost.length > 0) throw new BusError('BUS_CONFLICT', `partitions ${lost.join()} were taken over`);
        if (this.#shouldChange(held, now)) return;
        await this.#lookAfterOthers(now, until).catch((error: unknown) => {
          // must not end what is held here; a BusError says that NATS is away or another replica was faster
          if (!until.aborted && !(error instanceof BusError)) telemetry.waiting(error, LOOK_INTERVAL_MS);
        });
      }
      await delay(LOOK_INTERVAL_MS, undefined, { signal: until }).catch(() => undefined);
    }
  }

  /** @throws when the stream is gone or another than the term began with: a new term begins with that */
  async #checkStream(): Promise<void> {
    if (performance.now() - this.#lastLook < STREAM_INTERVAL_MS) return;
    this.#lastLook = performance.now();
    try {
      const { createdAt } = await this.#options.bus.events.state();
      if (createdAt !== this.#stream) throw new BusError('BUS_CONFLICT', `the stream of ${this.#stream} is gone`);
    } catch (error) {
      if (!(error instanceof BusError && error.code === 'BUS_UNAVAILABLE')) throw error;
    }
  }

  #shouldChange(held: ReadonlyMap<number, number>, { places }: Places): boolean {
    const wanted = this.#wanted();
    if ([...held.keys()].some((partition) => !wanted.has(partition))) return true;
    const missing = [...wanted].filter((partition) => !held.has(partition));
    const free = missing.filter((partition) => places[partition]?.writer === null);
    if (free.length === 0) this.#freeSince = null;
    else this.#freeSince ??= performance.now();
    if (this.#freeSince === null) return false;
    return free.length === missing.length || performance.now() - this.#freeSince > GATHER_MS;
  }

  #wanted(): Set<number> {
    const { members, member } = this.#options;
    const names = members.current.map(({ id }) => id);
    const mine = [...assign(NAMES, names)].filter(([, { primary }]) => primary === member);
    return new Set(mine.map(([name]) => Number(name)));
  }

  /** What the dead left is recovered by the first of the living; what an earlier term of this replica left, by itself. */
  async #lookAfterOthers(now: Places, until: AbortSignal): Promise<void> {
    const { bus, intents, inserts, member, members, table, telemetry } = this.#options;
    const first = members.current[0]?.id === member;
    const signal = AbortSignal.any([until, this.#signal]);
    const recovery = { bus, table, intents, inserts: { ...inserts, signal } };
    const writers = new Set(now.places.flatMap(({ writer }) => writer ?? []));
    for (const writer of writers) {
      if (this.#isAlive(writer) || !(first || memberOf(writer) === member)) continue;
      telemetry.recovering(writer, partitionsOf(now, writer));
      await recoverWriter(writer, recovery);
    }
    if (!first || performance.now() - this.#lastTidy < TIDY_INTERVAL_MS) return;
    this.#lastTidy = performance.now();
    await tidy(recovery, (writer) => this.#isAlive(writer));
  }

  #isAlive(writer: string): boolean {
    const { members, member } = this.#options;
    const of = memberOf(writer);
    return of === member ? writer === this.#id : members.current.some(({ id }) => id === of);
  }
}

const memberOf = (writer: string): string => writer.slice(0, writer.lastIndexOf('.'));
