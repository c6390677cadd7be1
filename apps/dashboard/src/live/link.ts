import type { LiveHandlers } from '../api/api.ts';
import { browserWorld, type PollWorld } from './poller.ts';

/**
 *   off           hung up: not wanted, or the page is hidden
 *   connecting    called, not yet answered
 *   live          messages come
 *   reconnecting  broken for less than `staleAfterMs`
 *   stale         broken for longer: what is shown is old
 */
export type LinkMode = 'off' | 'connecting' | 'live' | 'reconnecting' | 'stale';

export interface LinkState {
  readonly mode: LinkMode;
  /** Unix seconds at which the connection broke (reconnecting, stale), else at which the mode began. */
  readonly since: number;
}

export interface LinkOptions<Message> {
  readonly subscribe: (handlers: LiveHandlers<Message>) => () => void;
  readonly onMessage: (message: Message) => void;
  /**
   * Called with the first message of every connection, which the server sends once nothing more can be missed: what
   * happened before must be fetched now.
   */
  readonly onReady?: () => void;
  /** @default 10_000 */
  readonly staleAfterMs?: number;
  readonly world?: PollWorld;
}

/**
 * One live subscription while it is wanted and the page is visible: hidden pages hang up, because browsers allow only a
 * few connections to one server. Called again with pauses of 1 to 15 seconds when the carrier gives up.
 */
export class LiveLink<Message> {
  readonly #options: LinkOptions<Message>;
  readonly #world: PollWorld;
  readonly #listeners = new Set<() => void>();
  #state: LinkState;
  #hangUp: (() => void) | null = null;
  #unwatch: (() => void) | null = null;
  #redial: number | null = null;
  #staleTimer: number | null = null;
  #failures = 0;
  #missed = true;
  /** Numbers the calls: what an ended call still says is not heard. */
  #call = 0;

  constructor(options: LinkOptions<Message>) {
    this.#options = options;
    this.#world = options.world ?? browserWorld;
    this.#state = { mode: 'off', since: this.#world.now() };
  }

  get state(): LinkState {
    return this.#state;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  start(): void {
    if (this.#unwatch !== null) return;
    this.#unwatch = this.#world.onVisibility(() => {
      if (this.#world.visible()) this.#dial();
      else this.#close();
    });
    if (this.#world.visible()) this.#dial();
  }

  stop(): void {
    this.#unwatch?.();
    this.#unwatch = null;
    this.#close();
  }

  #dial(): void {
    if (this.#hangUp !== null) return;
    this.#clearRedial();
    this.#call += 1;
    const call = this.#call;
    const heard = (run: () => void) => () => {
      if (call === this.#call) run();
    };
    if (this.#state.mode === 'off') this.#to('connecting');
    let ended = false;
    const hangUp = this.#options.subscribe({
      onOpen: heard(() => {
        this.#live();
      }),
      onMessage: (message) => {
        if (call !== this.#call) return;
        this.#live();
        this.#ready();
        this.#options.onMessage(message);
      },
      onTrouble: heard(() => {
        this.#broken();
      }),
      onEnd: heard(() => {
        ended = true;
        this.#ended();
      }),
    });
    if (ended) hangUp();
    else this.#hangUp = hangUp;
  }

  #live(): void {
    this.#failures = 0;
    this.#clearStale();
    if (this.#state.mode === 'live') return;
    this.#to('live');
  }

  #ready(): void {
    if (!this.#missed) return;
    this.#missed = false;
    this.#options.onReady?.();
  }

  #broken(): void {
    this.#missed = true;
    if (this.#state.mode === 'reconnecting' || this.#state.mode === 'stale') return;
    this.#to('reconnecting');
    const since = this.#state.since;
    this.#staleTimer = this.#world.setTimer(() => {
      this.#staleTimer = null;
      this.#state = { mode: 'stale', since };
      this.#tell();
    }, this.#options.staleAfterMs ?? 10_000);
  }

  #ended(): void {
    this.#call += 1;
    this.#hangUp?.();
    this.#hangUp = null;
    this.#broken();
    this.#failures += 1;
    this.#redial = this.#world.setTimer(
      () => {
        this.#redial = null;
        this.#dial();
      },
      Math.min(15_000, 500 * 2 ** Math.min(this.#failures, 6)),
    );
  }

  #close(): void {
    this.#call += 1;
    this.#clearRedial();
    this.#clearStale();
    this.#hangUp?.();
    this.#hangUp = null;
    if (this.#state.mode === 'off') return;
    this.#missed = true;
    this.#to('off');
  }

  #to(mode: LinkMode): void {
    this.#state = { mode, since: this.#world.now() };
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #clearRedial(): void {
    if (this.#redial !== null) this.#world.clearTimer(this.#redial);
    this.#redial = null;
  }

  #clearStale(): void {
    if (this.#staleTimer !== null) this.#world.clearTimer(this.#staleTimer);
    this.#staleTimer = null;
  }
}
