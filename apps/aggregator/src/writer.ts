import { BusError, type Bucket } from '@meadow/bus';
import type { WorkerWriteRow } from '@meadow/store';
import type { Batch } from './batch.ts';
import { insertBatch, type InsertOptions } from './inserts.ts';
import { versionOf, type Intent } from './intent.ts';

/**
 * So long after a batch was begun its token is known for sure. Later the machine may have stood still for hours, and others
 * have written more than the store remembers tokens of. By the wall clock, which goes on meanwhile.
 */
const SURE_MS = 30_000;

/**
 * Writes batches exactly once. Order: intent → rows, each insert with the batch's token → the next intent. After a crash
 * anywhere between, another replica writes the last intent's batch again with the same token, and the store takes it once.
 *
 * The intent's revision is the fence: who writes a batch again renews the record first, and from then on this writer can
 * begin no other. What it had begun bears the same token, so that it does no harm, however late it comes.
 */
export class Writer {
  readonly #intents: Bucket<Intent>;
  readonly #id: string;
  readonly #stream: string;
  readonly #options: InsertOptions;
  #revision: number;

  private constructor(intents: Bucket<Intent>, id: string, stream: string, options: InsertOptions, revision: number) {
    this.#intents = intents;
    this.#id = id;
    this.#stream = stream;
    this.#options = options;
    this.#revision = revision;
  }

  /** @param id never used before */
  static async open(intents: Bucket<Intent>, id: string, stream: string, options: InsertOptions): Promise<Writer> {
    const revision = await intents.create(id, { stream, to: 0, done: {}, dropped: [] });
    return new Writer(intents, id, stream, options, revision);
  }

  /**
   * @param done by partition, up to where it is in the store
   * @param to the position up to which the batch holds every message of those partitions
   * @returns how many task rows were written
   * @throws BusError BUS_CONFLICT when another replica has taken over
   */
  async write(
    batch: Batch,
    done: ReadonlyMap<number, number>,
    to: number,
    workers: readonly WorkerWriteRow[],
  ): Promise<number> {
    const intent: Intent = { stream: this.#stream, to, done: Object.fromEntries(done), dropped: batch.dropped };
    // before anything is waited for: meanwhile the next batch takes in more of the same tasks, which a repetition does not know
    const writes = batch.writes(this.#options.retentionOf, versionOf(intent));
    this.#revision = await this.#intents.update(this.#id, intent, this.#revision);
    const begun = Date.now();
    const mayWrite = async (): Promise<void> => {
      if (Math.abs(Date.now() - begun) < SURE_MS) return;
      const entry = await this.#intents.get(this.#id);
      if (entry?.revision !== this.#revision)
        throw new BusError('BUS_CONFLICT', `writer ${this.#id} was taken for dead`);
    };
    return insertBatch(writes, workers, intent, { ...this.#options, mayWrite });
  }

  /** Takes the record away. What was written last is whole, and its partitions are released. */
  async close(): Promise<void> {
    await this.#intents.delete(this.#id, this.#revision);
  }
}
