import { bytesOf, type BrokerDelivery } from './event-source.ts';

export interface BurstQueueLimits {
  readonly messages: number;
  readonly bytes: number;
  readonly burst: number;
}

/** Messages dropped because nobody took them in time. */
export interface Overflow {
  readonly fromMs: number;
  readonly toMs: number;
  readonly lost: number;
}

type Drops = { -readonly [Key in keyof Overflow]: Overflow[Key] };

/**
 * Deliveries between a broker's connection and their one consumer, who takes them in bursts. At either bound the oldest
 * is dropped and counted; `onOverflow` hears of the drops together, at most once a second.
 *
 * standing by → live. While standing by nothing is handed out, and what is older than `standbyMs` is dropped as well,
 * which is no loss where somebody else hands it out.
 */
export class BurstQueue<D extends BrokerDelivery> {
  /** Undefined where it is dropped or taken, so that nothing holds on to it. */
  #items: (D | undefined)[] = [];
  /** Index of the oldest delivery still here; those before it are dropped or taken. */
  #head = 0;
  #bytes = 0;
  #wake: (() => void) | null = null;
  #dropped: Drops | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** Null once live. */
  #standbyMs: number | null;
  #forgotten: Drops | null = null;
  readonly #limits: BurstQueueLimits;
  readonly #onOverflow: (overflow: Overflow) => void;

  constructor(limits: BurstQueueLimits, onOverflow: (overflow: Overflow) => void, standbyMs: number | null = null) {
    this.#limits = limits;
    this.#onOverflow = onOverflow;
    this.#standbyMs = standbyMs;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(delivery: D): void {
    this.#items.push(delivery);
    this.#bytes += sizeOf(delivery);
    while (this.length > 1 && (this.length > this.#limits.messages || this.#bytes > this.#limits.bytes)) this.#drop();
    if (this.#standbyMs !== null) {
      this.forget(delivery.receivedAtMs);
    } else if (this.#wake !== null) {
      this.#wake();
      this.#wake = null;
    }
  }

  /** While standing by: drops what is too old at `nowMs`. Call it now and then: after a burst nothing may come for hours. */
  forget(nowMs: number): void {
    if (this.#standbyMs === null) return;
    const oldestMs = nowMs - this.#standbyMs;
    while ((this.#items[this.#head]?.receivedAtMs ?? Infinity) < oldestMs) this.#drop();
  }

  /**
   * Begins to hand out, oldest first.
   * @returns what was dropped while standing by; null when nothing was
   */
  goLive(nowMs: number): Overflow | null {
    this.forget(nowMs);
    this.#standbyMs = null;
    this.#wake?.();
    this.#wake = null;
    return this.#forgotten;
  }

  /** What waits, oldest first, at most one burst; waits itself while nothing does. Empty once `signal` is aborted. */
  async take(signal: AbortSignal): Promise<readonly D[]> {
    while ((this.length === 0 || this.#standbyMs !== null) && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      this.#wake = () => resolve(undefined);
      signal.addEventListener('abort', this.#onAbort, { once: true });
      await promise;
      signal.removeEventListener('abort', this.#onAbort);
    }
    return signal.aborted ? [] : this.#cut();
  }

  /** Forgets everything that waits: it belongs to a connection that is gone and will be delivered again. */
  clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  /** Tells of drops not yet told. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const dropped = this.#dropped;
    this.#dropped = null;
    if (dropped !== null) this.#onOverflow(dropped);
  }

  readonly #onAbort = (): void => this.#wake?.();

  #cut(): readonly D[] {
    const burst: D[] = [];
    while (burst.length < this.#limits.burst) {
      const delivery = this.#items[this.#head];
      if (delivery === undefined) break;
      this.#items[this.#head++] = undefined;
      this.#bytes -= sizeOf(delivery);
      burst.push(delivery);
    }
    if (this.length === 0) this.clear();
    else this.#compact();
    return burst;
  }

  #drop(): void {
    const oldest = this.#items[this.#head];
    if (oldest === undefined) return;
    this.#items[this.#head] = undefined;
    this.#head += 1;
    this.#bytes -= sizeOf(oldest);
    this.#compact();
    const { receivedAtMs } = oldest;
    if (this.#standbyMs !== null) {
      this.#forgotten ??= { fromMs: receivedAtMs, toMs: receivedAtMs, lost: 0 };
      this.#forgotten.toMs = receivedAtMs;
      this.#forgotten.lost += 1;
      return;
    }
    this.#dropped ??= { fromMs: receivedAtMs, toMs: receivedAtMs, lost: 0 };
    this.#dropped.toMs = receivedAtMs;
    this.#dropped.lost += 1;
    this.#timer ??= setTimeout(() => this.flush(), 1000);
  }

  /** Lets go of what is before the head once that is half of the array: constant work per delivery on average. */
  #compact(): void {
    if (this.#head < 1024 || this.#head * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}

/** Rough memory of a delivery: its payload and the objects around it. Bytes. */
function sizeOf(delivery: BrokerDelivery): number {
  return 200 + bytesOf(delivery);
}
