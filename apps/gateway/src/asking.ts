import { SharedAnswers } from './shared.ts';
import { toApiError } from './store-errors.ts';
import type { Telemetry } from './telemetry.ts';

/** ClickHouse's own deadline; the store adds 2 s for the answer to arrive. Somebody waits in front of a screen. */
export const ASK_TIMEOUT_MS = 5_000;

/** Asks the store: measures it, and tells failures as callers are told them. */
export class Asking {
  readonly #telemetry: Telemetry;
  readonly #shared = new SharedAnswers();

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
  }

  /** @throws ApiError */
  async ask<T>(question: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      const answer = await work();
      this.#telemetry.storeAnswered(question, (performance.now() - began) / 1000);
      return answer;
    } catch (error) {
      const told = toApiError(question, error);
      this.#telemetry.storeFailed(question, told);
      throw told;
    }
  }

  /** As `ask`; what is asked alike within `keepMs` is asked once. @param of everything that the answer depends on */
  shared<T>(question: string, of: string, keepMs: number, work: () => Promise<T>): Promise<T> {
    return this.#shared.ask(`${question} ${of}`, keepMs, () => this.ask(question, work));
  }
}
