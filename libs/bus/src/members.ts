import { BUCKETS } from '@meadow/contract';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bucket } from './bucket.ts';
import type { Bus } from './bus.ts';

/** A live replica of a service. */
export interface Member {
  readonly id: string;
  /** Names of the work that it can take over without delay, as it announced them. */
  readonly ready: readonly string[];
}

interface Beat {
  /** Counts up while the member lives. */
  readonly beat: number;
  readonly ready: readonly string[];
}

const BEAT_MS = 2_000;
/** Beats of our own that come back without one of another member, after which that one is gone: 6 to 8 s. */
const SILENT_BEATS = 4;
/** The bucket forgets a member that nobody heard of for so long: a newcomer must not see the dead. */
const FORGOTTEN_MS = 8_000;
const GOODBYE_MS = 1_000;
/** Of our own beats so many that NATS took and that did not come back: it no longer tells us anything, and is asked anew. */
const DEAF_BEATS = 3;

/**
 * The live replicas of one service, this one among them. Every replica writes a beat to NATS and hears those of all.
 *
 * No clock is compared, and none is needed: a member is gone when our own beats come back and its beats do not. While NATS
 * is away nothing comes back, so the view stands still instead of showing everybody gone.
 */
export class Membership implements AsyncDisposable {
  readonly #bucket: Bucket<Beat>;
  readonly #service: string;
  readonly #id: string;
  readonly #left = new AbortController();
  readonly #closed = new AbortController();
  #listening = new AbortController();
  readonly #others = new Map<string, { ready: readonly string[]; missed: number }>();
  readonly #waiting = new Set<() => void>();
  readonly #complete = Promise.withResolvers<undefined>();
  readonly #work: Promise<unknown>;
  #ready: readonly string[] = [];
  #current: readonly Member[] | null = null;
  /** The last beat that NATS took, and the last that came back. */
  #beat = 0;
  #heard = 0;

  constructor(bucket: Bucket<Beat>, service: string, id: string) {
    this.#bucket = bucket;
    this.#service = service;
    this.#id = id;
    this.#work = Promise.all([this.#keepBeating(), this.#keepListening()]);
  }

  /** Sorted by id. Holds this replica until it leaves. The same array until the next change. */
  get current(): readonly Member[] {
    this.#current ??= this.#look();
    return this.#current;
  }

  #look(): readonly Member[] {
    const members = [...this.#others].map(([id, { ready }]) => ({ id, ready }));
    if (!this.#left.signal.aborted) members.push({ id: this.#id, ready: this.#ready });
    return members.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Resolves at the next change of `current`, or when `signal` is aborted. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
      if (signal.aborted) done();
    });
  }

  /** Tells the others, at once and with every beat, what this replica can take over without delay. */
  announce(ready: readonly string[]): void {
    this.#ready = ready;
    this.#changed();
    if (!this.#left.signal.aborted) this.#put().catch(() => undefined);
  }

  /** Tells the others at once that this replica takes no more work. It goes on hearing of them. */
  leave(): void {
    if (this.#left.signal.aborted) return;
    this.#left.abort();
    this.#complete.resolve(undefined);
    this.#changed();
  }

  /** Resolves when the others are known, or this replica has left. */
  get complete(): Promise<void> {
    return this.#complete.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.leave();
    this.#closed.abort();
    // with NATS away the goodbye cannot be said: silence says it
    await Promise.race([this.#work, delay(GOODBYE_MS, undefined, { ref: false })]);
  }

  async #keepBeating(): Promise<void> {
    const { signal } = this.#left;
    while (!signal.aborted) {
      this.#beat++;
      await this.#put().catch(() => this.#beat--);
      if (this.#beat - this.#heard >= DEAF_BEATS) this.#listening.abort();
      await delay(BEAT_MS, undefined, { signal }).catch(() => undefined);
    }
    await this.#bucket.delete(this.#key).catch(() => undefined);
  }

  async #keepListening(): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      await this.#listen().catch(() => undefined);
      await delay(500, undefined, { signal }).catch(() => undefined);
    }
  }

  async #listen(): Promise<void> {
    const prefix = `${this.#service}.`;
    this.#listening = new AbortController();
    for await (const change of this.#bucket.watch(AbortSignal.any([this.#closed.signal, this.#listening.signal]))) {
      if (change.kind === 'caught-up' || !change.key.startsWith(prefix)) continue;
      const id = change.key.slice(prefix.length);
      if (change.kind === 'deleted') {
        if (this.#others.delete(id)) this.#changed();
      } else if (id === this.#id) {
        this.#hearOwn(change.value);
      } else {
        const known = this.#others.get(id);
        this.#others.set(id, { ready: change.value.ready, missed: 0 });
        if (known?.ready.join() !== change.value.ready.join()) this.#changed();
      }
    }
  }

  /** What was written before it has been heard by now, so that whoever was not heard was silent. */
  #hearOwn({ beat }: Beat): void {
    this.#complete.resolve(undefined);
    if (beat <= this.#heard) return;
    this.#heard = beat;
    for (const [id, other] of this.#others) {
      other.missed++;
      if (other.missed < SILENT_BEATS) continue;
      this.#others.delete(id);
      this.#changed();
    }
  }

  async #put(): Promise<void> {
    await this.#bucket.put(this.#key, { beat: this.#beat, ready: this.#ready });
  }

  get #key(): string {
    return `${this.#service}.${this.#id}`;
  }

  #changed(): void {
    this.#current = null;
    for (const wake of [...this.#waiting]) wake();
  }
}

/**
 * Joins the live replicas of `service` and returns when the others are known; leaves when `signal` is aborted or at
 * disposal, whichever is first.
 * @param id letters, digits, `-`, `_` and `.`; never used again by another process
 * @param replaces whether another member is known to be dead, because this one was started in its place: it is taken out
 * @throws when `signal` is aborted before the others are known, or a BusError when the bucket cannot be opened
 */
export async function joinMembers(
  bus: Bus,
  service: string,
  id: string,
  signal: AbortSignal,
  replaces: (id: string) => boolean = () => false,
): Promise<Membership> {
  signal.throwIfAborted();
  const bucket = await bus.bucket(BUCKETS.members, (value) => value as Beat, { ttlMs: FORGOTTEN_MS });
  const prefix = `${service}.`;
  for (const { key } of await bucket.all()) {
    if (key.startsWith(prefix) && replaces(key.slice(prefix.length))) await bucket.delete(key);
  }
  const membership = new Membership(bucket, service, id);
  signal.addEventListener('abort', () => membership.leave(), { once: true });
  await membership.complete;
  if (!signal.aborted) return membership;
  await membership[Symbol.asyncDispose]();
  throw signal.reason;
}
