import type { LiveMessage } from '@meadow/api';
import { RowBuffer, type RowIdentity } from './row-buffer.ts';

/** Rows held for one viewer that does not read: about half a megabyte. */
const VIEWER_BOUND = 500;

/** One browser looking on: what waits for it, and whether it waits. */
export class Viewer<Row> {
  readonly #buffer: RowBuffer<Row>;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(identity: RowIdentity<Row>) {
    this.#buffer = new RowBuffer(identity, VIEWER_BOUND);
  }

  /** @returns how many rows made room */
  push(message: LiveMessage<Row>): number {
    const pushedOut = this.#buffer.push(message);
    this.#wake?.();
    return pushedOut;
  }

  /** Ends the viewing with an error that the browser is told. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  /** The next message, as soon as there is one; null once `signal` is aborted. @throws what `fail` was given */
  async next(signal: AbortSignal): Promise<LiveMessage<Row> | null> {
    for (;;) {
      if (signal.aborted) return null;
      if (this.#failure !== null) throw this.#failure;
      const message = this.#buffer.take();
      if (message !== null) return message;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#wake = null;
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#wake = wake;
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }
}

/** Opens a NATS subscription; ends when `signal` is aborted. */
export type OpenSubject = (subject: string, signal: AbortSignal) => AsyncIterable<{ readonly data: Uint8Array }>;

export interface TopicOptions {
  readonly open: OpenSubject;
  /** Told of a message that is not what the subject promises. */
  readonly onInvalid: (subject: string, error: unknown) => void;
  readonly onPushedOut: (rows: number) => void;
  /** Told when the subscription ended without being asked to. */
  readonly onEnded: (error: unknown) => void;
}

/** Viewers by NATS subject: one subscription for all of them, opened for the first and closed with the last. */
export class Topics<Row> {
  readonly #options: TopicOptions;
  readonly #open = new Map<string, { readonly viewers: Set<Viewer<Row>>; readonly stop: AbortController }>();

  constructor(options: TopicOptions) {
    this.#options = options;
  }

  /** Subjects subscribed to. */
  get size(): number {
    return this.#open.size;
  }

  /** @returns how to leave; from here on the viewer misses nothing */
  join(subject: string, viewer: Viewer<Row>): () => void {
    let topic = this.#open.get(subject);
    if (topic === undefined) {
      topic = { viewers: new Set(), stop: new AbortController() };
      this.#open.set(subject, topic);
      void this.#pump(subject, topic.viewers, topic.stop.signal);
    }
    const { viewers, stop } = topic;
    viewers.add(viewer);
    return () => {
      viewers.delete(viewer);
      if (viewers.size > 0 || this.#open.get(subject)?.viewers !== viewers) return;
      this.#open.delete(subject);
      stop.abort();
    };
  }

  async #pump(subject: string, viewers: ReadonlySet<Viewer<Row>>, signal: AbortSignal): Promise<void> {
    try {
      for await (const { data } of this.#options.open(subject, signal)) this.#deliver(subject, data, viewers);
      if (!signal.aborted) this.#options.onEnded(new Error(`subscription to ${subject} ended`));
    } catch (error) {
      if (!signal.aborted) this.#options.onEnded(error);
    }
  }

  #deliver(subject: string, data: Uint8Array, viewers: ReadonlySet<Viewer<Row>>): void {
    try {
      const message = readMessage<Row>(data);
      for (const viewer of viewers) {
        const pushedOut = viewer.push(message);
        if (pushedOut > 0) this.#options.onPushedOut(pushedOut);
      }
    } catch (error) {
      this.#options.onInvalid(subject, error);
    }
  }
}

const decoder = new TextDecoder();

/** The rows are the aggregator's own and not looked into: that would cost more than all else here. */
function readMessage<Row>(data: Uint8Array): LiveMessage<Row> {
  const told: unknown = JSON.parse(decoder.decode(data));
  if (typeof told !== 'object' || told === null || !('rows' in told) || !Array.isArray(told.rows)) {
    throw new TypeError('no rows in a live message');
  }
  const omitted = 'omitted' in told && typeof told.omitted === 'number' ? told.omitted : 0;
  const at = 'at' in told && typeof told.at === 'number' ? told.at : 0;
  return { rows: told.rows as Row[], omitted, at };
}
