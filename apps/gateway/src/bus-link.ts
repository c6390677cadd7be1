import type { BusState, StreamInfo } from '@meadow/api';
import { BusError, openBus, type Bus, type BusNotice } from '@meadow/bus';
import type { Telemetry } from './telemetry.ts';

export interface BusLinkOptions {
  readonly url: string;
  readonly telemetry: Telemetry;
  readonly onLost: () => void;
  /** Called once, with the first connection; later ones resume what was begun on it. */
  readonly onOpen: (bus: Bus) => void;
}

/** How long a question that got no answer counts: nobody may ask again. */
const SILENT_MS = 30_000;

/** The connection to NATS, which need not be there yet. */
export class BusLink implements BusState, AsyncDisposable {
  readonly #options: BusLinkOptions;
  readonly #stop = new AbortController();
  readonly #opening: Promise<void>;
  #bus: Bus | null = null;
  #lastError = 'not connected to NATS yet';
  /** When JetStream last left a question unanswered, though NATS is there. */
  #silentAt = -Infinity;

  constructor(options: BusLinkOptions) {
    this.#options = options;
    this.#opening = this.#open();
  }

  /** null while NATS is away. */
  get bus(): Bus | null {
    return this.#bus?.connected === true ? this.#bus : null;
  }

  problem(): string | null {
    if (this.bus === null) return this.#lastError;
    return performance.now() - this.#silentAt < SILENT_MS
      ? 'JetStream does not answer, as after its disk was full: it may have to be started again'
      : null;
  }

  async stream(): Promise<StreamInfo | null> {
    try {
      const state = await this.bus?.events.state();
      if (state === undefined) return null;
      this.#silentAt = -Infinity;
      const { messages, bytes, maxBytes, firstAt } = state;
      return { messages, bytes, maxBytes, oldestAt: firstAt };
    } catch (error) {
      // without the stream no collector has started yet; without NATS `problem` tells
      if (!(error instanceof BusError)) throw error;
      this.#silentAt = error.code === 'BUS_UNAVAILABLE' ? performance.now() : -Infinity;
      return null;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#opening;
    await this.#bus?.[Symbol.asyncDispose]();
  }

  async #open(): Promise<void> {
    const { url, telemetry, onOpen } = this.#options;
    try {
      this.#bus = await openBus({
        url,
        name: 'gateway',
        signal: this.#stop.signal,
        onNotice: (notice) => this.#note(notice),
      });
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      throw error;
    }
    telemetry.busConnected();
    onOpen(this.#bus);
  }

  #note(notice: BusNotice): void {
    const { telemetry, onLost } = this.#options;
    switch (notice.kind) {
      case 'connecting':
        this.#lastError = notice.error;
        return telemetry.busWaiting(notice.error, notice.waitMs);
      case 'disconnected':
        this.#lastError = 'connection to NATS lost';
        telemetry.busLost();
        return onLost();
      case 'reconnected':
        return telemetry.busConnected();
      case 'invalid-value':
        return telemetry.bucketValueInvalid(notice.bucket, notice.key, notice.error);
      default:
        return notice satisfies never;
    }
  }
}
