/**
 * The batch that a writer is writing, in NATS before the first row of it is in the store. It holds each partition's
 * messages behind the position in `done`, up to `to`. The next one says that it is whole.
 */
export interface Intent {
  /** The stream's birth: positions of another stream mean nothing. */
  readonly stream: string;
  readonly to: number;
  /** By partition: up to where it was in the store before this batch. */
  readonly done: Readonly<Record<string, number>>;
  /** What of it was dropped as a repeat: see `WasDropped`. */
  readonly dropped: readonly number[];
}

/** Means one batch and no other: no two batches hold the same partition from the same position on. */
export const tokenOf = ({ stream, done, to }: Intent): string =>
  `${stream}/${Object.entries(done)
    .map(([partition, from]) => `${partition}:${from}`)
    .join(',')}-${to}`;

/**
 * Of the batch's task rows: grows from batch to batch of a partition, also when positions begin again with a stream made
 * anew, since that is born more microseconds later than the one before had messages. Stays below 2^53 until 2255.
 */
export const versionOf = ({ stream, to }: Intent): number => Date.parse(stream) * 1_000 + to;
