/** So many are known again: repeats come within minutes, and nobody commands this much in that time. */
export const RECENT_RECORDS = 10_000;

/** The ids of the newest audit records, so that one that is published again counts once. At its bound it forgets the oldest. */
export class RecentRecords {
  readonly #ids = new Set<string>();

  /** @returns false when the id is there already */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    for (const oldest of this.#ids) {
      if (this.#ids.size <= RECENT_RECORDS) break;
      this.#ids.delete(oldest);
    }
    return true;
  }
}
