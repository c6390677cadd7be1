import { SqlError } from './sql-error.ts';

/** A place among those that may work at the same time; given back once. */
export type GiveBack = () => void;

/** A few places for many; who waits too long goes away. */
export class Slots {
  readonly #most: number;
  readonly #patienceMs: number;
  readonly #waiting = new Set<(giveBack: GiveBack) => void>();
  #taken = 0;

  constructor(most: number, patienceMs: number) {
    this.#most = most;
    this.#patienceMs = patienceMs;
  }

  /** In order of asking. @throws SqlError SQL_BUSY after the time of patience, SQL_STOPPED when aborted before */
  async take(signal: AbortSignal): Promise<GiveBack> {
    if (signal.aborted) throw new SqlError('SQL_STOPPED', 'it was stopped before it began');
    if (this.#taken < this.#most) return this.#give();
    const { promise, resolve, reject } = Promise.withResolvers<GiveBack>();
    const leave = (error: SqlError): void => {
      if (this.#waiting.delete(resolve)) reject(error);
    };
    const onAbort = (): void => leave(new SqlError('SQL_STOPPED', 'it was stopped before it began'));
    const busy = `${this.#most} statements run already: try again in a while`;
    const timer = setTimeout(() => leave(new SqlError('SQL_BUSY', busy)), this.#patienceMs);
    this.#waiting.add(resolve);
    signal.addEventListener('abort', onAbort, { once: true });
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    });
  }

  #give(): GiveBack {
    this.#taken += 1;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#taken -= 1;
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      next(this.#give());
    };
  }
}
