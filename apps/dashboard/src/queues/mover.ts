import type { ActionResult } from '@meadow/api';
import { createSubscriber } from 'svelte/reactivity';
import type { Api } from '../api/api.ts';
import { Fault, toFault } from '../api/fault.ts';

/** What is to be moved where. `limit`: null for all that wait. */
export interface MoveInput {
  readonly cluster: string;
  readonly from: string;
  readonly to: string;
  readonly limit: number | null;
}

/** `stopped`: it was told to stop and cannot be heard any more; what it has moved in all is in the audit. */
export interface MoveState {
  readonly stage: 'moving' | 'ended' | 'failed' | 'stopped';
  /** As far as it told. */
  readonly done: number;
  readonly total: number | null;
  readonly result: ActionResult | null;
  readonly fault: Fault | null;
}

/** A move under way. It goes on while its dialog is closed. */
export class Mover {
  readonly input: MoveInput;
  /** When it is over, however. Never rejects. */
  readonly over: Promise<MoveState>;
  readonly #stop = new AbortController();
  readonly #subscribe: () => void;
  #state: MoveState = { stage: 'moving', done: 0, total: null, result: null, fault: null };
  #update: (() => void) | null = null;

  constructor(api: Pick<Api, 'move'>, input: MoveInput) {
    this.input = input;
    this.#subscribe = createSubscriber((update) => {
      this.#update = update;
      return () => {
        this.#update = null;
      };
    });
    this.over = this.#run(api);
  }

  get state(): MoveState {
    this.#subscribe();
    return this.#state;
  }

  /** Stops between two messages. */
  stop(): void {
    this.#stop.abort();
  }

  async #run(api: Pick<Api, 'move'>): Promise<MoveState> {
    const { signal } = this.#stop;
    try {
      for await (const step of api.move(this.input, signal)) {
        if (step.kind === 'progress') this.#set({ done: step.done, total: step.total });
        else this.#set({ stage: 'ended', done: step.count ?? this.#state.done, result: step });
      }
      if (this.#state.stage === 'moving') {
        const fault = new Fault('broken', 'it ended without a word: what was moved is in the audit');
        this.#set(signal.aborted ? { stage: 'stopped' } : { stage: 'failed', fault });
      }
    } catch (error) {
      if (this.#state.stage === 'moving') {
        this.#set(signal.aborted ? { stage: 'stopped' } : { stage: 'failed', fault: toFault(error) });
      }
    }
    return this.#state;
  }

  #set(changes: Partial<MoveState>): void {
    this.#state = { ...this.#state, ...changes };
    this.#update?.();
  }
}
