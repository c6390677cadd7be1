import type { LiveMessage } from '@meadow/api';

/** Which rows are states of the same thing, and which of two is the newer. */
export interface RowIdentity<Row> {
  readonly keyOf: (row: Row) => string;
  /** Whether `next` may take the place of `held`. */
  readonly replaces: (next: Row, held: Row) => boolean;
}

/**
 * What one viewer has not taken yet: the newest state of each row. At the bound the row that changed longest ago makes
 * room and is counted as omitted, so a viewer that never reads costs no more than one that reads.
 */
export class RowBuffer<Row> {
  readonly #identity: RowIdentity<Row>;
  readonly #bound: number;
  readonly #rows = new Map<string, Row>();
  #omitted = 0;
  #at = 0;

  constructor(identity: RowIdentity<Row>, bound: number) {
    this.#identity = identity;
    this.#bound = bound;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** @returns how many rows made room */
  push(message: LiveMessage<Row>): number {
    let pushedOut = 0;
    for (const row of message.rows) {
      const key = this.#identity.keyOf(row);
      const held = this.#rows.get(key);
      if (held !== undefined && !this.#identity.replaces(row, held)) continue;
      // a Map keeps the order of insertion: taken out and put in again, the row is the youngest
      this.#rows.delete(key);
      this.#rows.set(key, row);
      if (this.#rows.size > this.#bound) {
        for (const oldest of this.#rows.keys()) {
          this.#rows.delete(oldest);
          break;
        }
        pushedOut++;
      }
    }
    this.#omitted += message.omitted + pushedOut;
    this.#at = Math.max(this.#at, message.at);
    return pushedOut;
  }

  /** Everything held, oldest change first, and forgets it; null when there is nothing to tell. */
  take(): LiveMessage<Row> | null {
    if (this.#rows.size === 0 && this.#omitted === 0) return null;
    const message = { rows: [...this.#rows.values()], omitted: this.#omitted, at: this.#at };
    this.#rows.clear();
    this.#omitted = 0;
    return message;
  }
}
