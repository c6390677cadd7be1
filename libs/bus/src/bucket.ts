import type { KV } from '@nats-io/kv';
import { BusError, busError } from './errors.ts';
import type { Returns } from './returns.ts';

export interface Entry<T> {
  readonly key: string;
  readonly value: T;
  /** Changes with every write; `update` takes it. */
  readonly revision: number;
}

export type Change<T> =
  | { readonly kind: 'put'; readonly key: string; readonly value: T }
  | { readonly kind: 'deleted'; readonly key: string }
  /** Everything that was there when the watch began has been told. */
  | { readonly kind: 'caught-up' };

export interface BucketOptions<T> {
  /** Those that it holds, deleted ones among them. */
  readonly keys: () => Promise<string[]>;
  readonly returns: Returns;
  readonly parse: (value: unknown) => T;
  readonly onInvalid: (key: string, error: unknown) => void;
}

/** A NATS key-value bucket of JSON values. A value that does not fit is skipped and told to `onInvalid`. */
export class Bucket<T> {
  readonly #kv: KV;
  readonly #keys: () => Promise<string[]>;
  readonly #returns: Returns;
  readonly #parse: (value: unknown) => T;
  readonly #onInvalid: (key: string, error: unknown) => void;

  constructor(kv: KV, { keys, returns, parse, onInvalid }: BucketOptions<T>) {
    this.#kv = kv;
    this.#keys = keys;
    this.#returns = returns;
    this.#parse = parse;
    this.#onInvalid = onInvalid;
  }

  /** @returns null when the key is not there, was deleted, or its value does not fit. */
  async get(key: string): Promise<Entry<T> | null> {
    const entry = await this.#ask(`get ${key}`, this.#kv.get(key));
    if (entry?.operation !== 'PUT') return null;
    const value = this.#read(key, entry.string());
    return value === null ? null : { key, value: value.value, revision: entry.revision };
  }

  /** Every key with its value. */
  async all(): Promise<Entry<T>[]> {
    const names = await this.#ask('list keys', this.#keys());
    const entries = await Promise.all(names.map((key) => this.get(key)));
    return entries.filter((entry) => entry !== null);
  }

  async put(key: string, value: T): Promise<number> {
    return this.#ask(`put ${key}`, this.#kv.put(key, JSON.stringify(value)));
  }

  /** @throws BusError BUS_CONFLICT when the key is there already. */
  async create(key: string, value: T): Promise<number> {
    return this.#ask(`create ${key}`, this.#kv.create(key, JSON.stringify(value)));
  }

  /** @throws BusError BUS_CONFLICT when the key has been written since `revision`. */
  async update(key: string, value: T, revision: number): Promise<number> {
    return this.#ask(`update ${key}`, this.#kv.update(key, JSON.stringify(value), revision));
  }

  /** @param revision when given, only if the key has not been written since (else BUS_CONFLICT) */
  async delete(key: string, revision?: number): Promise<void> {
    const options = revision === undefined ? {} : { previousSeq: revision };
    await this.#ask(`delete ${key}`, this.#kv.delete(key, options));
  }

  /**
   * What is there now, then `caught-up`, then every change until `signal` is aborted.
   * @throws BusError BUS_REMADE when NATS came back without its storage: the bucket is empty now
   */
  async *watch(signal: AbortSignal): AsyncGenerator<Change<T>> {
    signal.throwIfAborted();
    const status = await this.#ask('watch', this.#kv.status());
    const changes = await this.#ask('watch', this.#kv.watch());
    const stop = (): void => changes.stop();
    signal.addEventListener('abort', stop, { once: true });
    // it may have been aborted while NATS was asked
    if (signal.aborted) stop();
    let remade = false;
    using _returns = this.#returns.add(async () => {
      const now = await this.#ask('watch', this.#kv.status());
      // the positions of the two do not compare: NATS would tell nothing until the old one is passed
      remade ||= now.streamInfo.created !== status.streamInfo.created;
      if (remade) stop();
    });
    try {
      let caughtUp = status.values === 0;
      if (caughtUp) yield { kind: 'caught-up' };
      for await (const entry of changes) {
        if (entry.operation === 'PUT') {
          const read = this.#read(entry.key, entry.string());
          if (read !== null) yield { kind: 'put', key: entry.key, value: read.value };
        } else {
          yield { kind: 'deleted', key: entry.key };
        }
        if (!caughtUp && entry.delta === 0) {
          caughtUp = true;
          yield { kind: 'caught-up' };
        }
      }
      if (remade && !signal.aborted) throw new BusError('BUS_REMADE', 'watch in bucket: it was made anew');
    } finally {
      signal.removeEventListener('abort', stop);
      changes.stop();
    }
  }

  #read(key: string, text: string): { value: T } | null {
    try {
      return { value: this.#parse(JSON.parse(text)) };
    } catch (error) {
      this.#onInvalid(key, error);
      return null;
    }
  }

  async #ask<R>(doing: string, answer: Promise<R>): Promise<R> {
    try {
      return await answer;
    } catch (error) {
      throw busError(`${doing} in bucket`, error);
    }
  }
}
