import { BusError } from './errors.ts';

/**
 * What NATS's own bound is above ours. Before 2.9.24 and 2.10.5 it leaves out a message's overhead where it decides whether
 * that still fits (nats-server issue 4771), and then throws the oldest away though the stream is told to refuse: what was
 * acknowledged is lost, without a word. So its bound is never reached.
 */
const RESERVE = 1 / 16;
/** Subject, checksum, lengths and headers of a message. Bytes. */
const OVERHEAD = 512;
/** Of what is free a sender takes so much before it looks again: sixteen that send at once stay within it. */
const SHARE = 1 / 16;
const LOOK_MS = 1_000;

/** The bound to be set in NATS for a stream that is to hold so many bytes. */
export const bytesWithReserve = (maxBytes: number): number => Math.ceil(maxBytes * (1 + RESERVE));

/** What a stream of this bound in NATS is to hold; without a bound there (-1), none. */
export const bytesWithoutReserve = (natsMaxBytes: number): number =>
  natsMaxBytes <= 0 ? natsMaxBytes : Math.floor(natsMaxBytes / (1 + RESERVE));

interface Fill {
  readonly bytes: number;
  readonly maxBytes: number;
}

/**
 * Keeps one sender within the stream's bound. It looks at the stream once a second while it sends, and waits for what it sees only
 * when it may send no more: a NATS that is away delays nothing twice.
 */
export class StreamRoom {
  readonly #look: () => Promise<Fill>;
  #left = 0;
  #until = 0;
  #looking: Promise<void> | null = null;

  constructor(look: () => Promise<Fill>) {
    this.#look = look;
  }

  /** Asks whether a message of so many bytes may be sent. @throws BusError BUS_STREAM_FULL; what the look throws */
  async take(messageBytes: number): Promise<void> {
    const bytes = messageBytes + OVERHEAD;
    if (this.#left < bytes) await this.#refill(bytes);
    else if (performance.now() >= this.#until) this.#refill(bytes).catch(() => undefined);
    this.#left -= bytes;
  }

  #refill(least: number): Promise<void> {
    this.#looking ??= this.#lookAgain(least).finally(() => (this.#looking = null));
    return this.#looking;
  }

  async #lookAgain(least: number): Promise<void> {
    const { bytes, maxBytes } = await this.#look();
    const free = maxBytes <= 0 ? Infinity : maxBytes - bytes;
    this.#left = 0;
    if (free < least) throw new BusError('BUS_STREAM_FULL', `the stream has ${free} of ${maxBytes} bytes left`);
    this.#left = Math.max(free * SHARE, least);
    this.#until = performance.now() + LOOK_MS;
  }
}
