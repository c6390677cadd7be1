import { BusError, type Bucket } from '@meadow/bus';
import { PARTITIONS } from '@meadow/contract';

/** Where a partition stands. */
export interface Place {
  /** Who writes it; null while nobody does. */
  readonly writer: string | null;
  /** Everything of it up to this position was in the store when its writer took it, or when the last one left it. */
  readonly done: number;
}

/** All partitions in one record, so that each change of hands is one compare-and-set. */
export interface Places {
  /** The stream's birth: positions of another stream mean nothing. */
  readonly stream: string;
  /** By partition. */
  readonly places: readonly Place[];
}

const KEY = 'partitions';

/**
 * Who writes which partition, and from where on. A writer takes what is free and frees what it leaves; a position never
 * goes back. Methods throw BusError.
 */
export class PartitionTable {
  readonly #bucket: Bucket<Places>;

  constructor(bucket: Bucket<Places>) {
    this.#bucket = bucket;
  }

  /** @returns null before the first `begin`. */
  async read(): Promise<Places | null> {
    return (await this.#bucket.get(KEY))?.value ?? null;
  }

  /**
   * Begins anew where the table is missing or tells of another stream: every partition is free, and nothing of it written.
   * @param streamNow asked behind each look at the table, so that who is slow does not begin with a stream of the past
   * @returns the stream, and whether it took the place of another
   */
  async begin(streamNow: () => Promise<string>): Promise<{ readonly stream: string; readonly replaced: boolean }> {
    const places = Array.from({ length: PARTITIONS }, () => ({ writer: null, done: 0 }));
    for (;;) {
      const entry = await this.#bucket.get(KEY);
      const stream = await streamNow();
      if (entry?.value.stream === stream) return { stream, replaced: false };
      try {
        if (entry === null) await this.#bucket.create(KEY, { stream, places });
        else await this.#bucket.update(KEY, { stream, places }, entry.revision);
        return { stream, replaced: entry !== null };
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
  }

  /** @returns those of `wanted` that were free and are `writer`'s now, with the position up to which each is written. */
  async take(writer: string, wanted: ReadonlySet<number>): Promise<Map<number, number>> {
    const places = await this.#change((place, partition) =>
      place.writer === null && wanted.has(partition) ? { ...place, writer } : place,
    );
    return new Map(
      [...wanted].flatMap((partition) => {
        const place = places[partition];
        return place?.writer === writer ? [[partition, place.done]] : [];
      }),
    );
  }

  /** Frees partitions of `writer`, each written up to the position given. Those that are another's by now stay so. */
  async release(writer: string, through: ReadonlyMap<number, number>): Promise<void> {
    await this.#change((place, partition) => {
      const position = through.get(partition);
      if (place.writer !== writer || position === undefined) return place;
      return { writer: null, done: Math.max(place.done, position) };
    });
  }

  /** Tries until nobody else wrote in between. */
  async #change(change: (place: Place, partition: number) => Place): Promise<readonly Place[]> {
    for (;;) {
      const entry = await this.#bucket.get(KEY);
      if (entry === null) throw new BusError('BUS_REJECTED', 'the record of partitions is gone');
      const places = entry.value.places.map(change);
      if (places.every((place, partition) => place === entry.value.places[partition])) return places;
      try {
        await this.#bucket.update(KEY, { ...entry.value, places }, entry.revision);
        return places;
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
  }
}

const isConflict = (error: unknown): boolean => error instanceof BusError && error.code === 'BUS_CONFLICT';
