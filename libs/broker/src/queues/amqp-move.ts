import type { ChannelModel, ConfirmChannel, GetMessage, Options } from 'amqplib';
import { isNotFound } from '../amqp/errors.ts';
import { BrokerError } from '../errors.ts';
import { closeChannel } from './amqp-channel.ts';
import type { Move, QueueAdapter } from './port.ts';
import { notFound, QueueRefusal } from './refusal.ts';

/** Messages, and their bytes, between two confirmations: so many may be in both queues after a failure. */
const BATCH = 25;
const BATCH_BYTES = 8 * 1024 * 1024;
/** Messages that stay are held until the end, so that they are not taken again and again. */
const MOST_LEFT = 1_000;

interface Way {
  readonly from: string;
  readonly to: string;
  /** Who publishes: another user's name may not stand in a message. */
  readonly username: string;
}

type Answered = <T>(work: Promise<T>) => Promise<T>;

/**
 * Takes messages, publishes them to the other queue, and acknowledges those that the broker has confirmed. Whatever ends this
 * process or the connection, a message is in one queue at least: what is not acknowledged goes back to where it was.
 */
export async function moveMessages(
  model: ChannelModel,
  way: Way,
  { limit, onProgress, signal }: Parameters<QueueAdapter['move']>[2],
  answered: Answered,
): Promise<Move> {
  const counts = { moved: 0, left: 0, doubled: 0 };
  let leftBecause: string | null = null;
  const result = (ended: Move['ended'], error: Move['error'] = null): Move => ({
    ...counts,
    leftBecause,
    ended,
    error,
  });
  let lane: Lane | null = null;
  try {
    lane = await answered(Lane.open(model, way));
    // what comes in meanwhile is not waited for, or it would never end; a stream tells no count, and refuses to be taken from
    let open = Math.max(1, lane.waiting);
    while (open > 0) {
      if (signal?.aborted === true) return result('stopped');
      if (counts.moved >= limit) return result('limit');
      const taken = await answered(lane.take(Math.min(BATCH, open, limit - counts.moved)));
      if (taken.length === 0) break;
      open -= taken.length;
      const { sent, refused } = lane.publish(taken);
      counts.left += refused.length;
      leftBecause ??= refused[0] ?? null;
      counts.doubled = sent.length;
      const confirmed = await answered(lane.confirm(sent));
      counts.doubled = 0;
      counts.moved += confirmed;
      onProgress(counts.moved);
      if (confirmed < sent.length) throw full(way.to);
      if (counts.left >= MOST_LEFT) break;
    }
    return result(counts.left >= MOST_LEFT && open > 0 ? 'stopped' : 'all');
  } catch (error) {
    if (counts.moved + counts.doubled === 0 || !(error instanceof BrokerError || error instanceof QueueRefusal))
      throw error;
    return result('failed', error);
  } finally {
    await lane?.close();
  }
}

const full = (queue: string): QueueRefusal =>
  new QueueRefusal(
    'QUEUE_FULL',
    queue,
    'it takes no more, by its own bound',
    'wait until it is shorter, or raise its bound',
  );

interface Sent {
  readonly message: GetMessage;
  readonly confirmed: Promise<void>;
}

/** A channel from one queue to another. */
class Lane {
  readonly waiting: number;
  readonly #channel: ConfirmChannel;
  readonly #way: Way;
  #reason: unknown = null;
  #returned = 0;
  #nacked = false;

  private constructor(channel: ConfirmChannel, way: Way, waiting: number) {
    this.waiting = waiting;
    this.#channel = channel;
    this.#way = way;
    channel.on('error', (error) => {
      this.#reason = error;
    });
    channel.on('return', () => {
      this.#returned++;
    });
    channel.on('nack', () => {
      this.#nacked = true;
    });
  }

  static async open(model: ChannelModel, way: Way): Promise<Lane> {
    const waiting: number[] = [];
    for (const queue of [way.to, way.from]) {
      const channel = await model.createChannel();
      channel.on('error', () => undefined);
      try {
        waiting.push((await channel.checkQueue(queue)).messageCount);
      } catch (error) {
        throw isNotFound(error) ? notFound(queue, error) : error;
      }
      await channel.close();
    }
    return new Lane(await model.createConfirmChannel(), way, waiting[1] ?? 0);
  }

  /** The next messages: the broker keeps them until they are acknowledged. */
  async take(most: number): Promise<readonly GetMessage[]> {
    const taken: GetMessage[] = [];
    for (let bytes = 0; taken.length < most && bytes < BATCH_BYTES;) {
      const message = await this.#told(this.#channel.get(this.#way.from));
      if (message === false) break;
      bytes += message.content.length;
      taken.push(message);
    }
    return taken;
  }

  publish(messages: readonly GetMessage[]): { readonly sent: readonly Sent[]; readonly refused: readonly string[] } {
    const sent: Sent[] = [];
    const refused: string[] = [];
    for (const message of messages) {
      const options = republished(message, this.#way.username);
      if (options === null) {
        refused.push('its headers hold what cannot be written again as it is');
        continue;
      }
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      // it may fail before `confirm` asks
      promise.catch(() => undefined);
      const onConfirm = (error: unknown): void => {
        if (error === null) resolve(undefined);
        else reject(error);
      };
      try {
        this.#channel.publish('', this.#way.to, message.content, options, onConfirm);
        sent.push({ message, confirmed: promise });
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        refused.push('its headers are too long to be written again');
      }
    }
    return { sent, refused };
  }

  /** Waits until the broker has the copies, then removes the messages. @returns how many copies it took */
  async confirm(sent: readonly Sent[]): Promise<number> {
    const outcomes = await Promise.allSettled(sent.map(({ confirmed }) => confirmed));
    const failure = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failure !== undefined && !this.#nacked) throw this.#reason ?? failure.reason;
    // the broker returns what it cannot route before it confirms it
    if (this.#returned > 0) throw notFound(this.#way.to);
    const taken = sent.filter((_, index) => outcomes[index]?.status === 'fulfilled');
    for (const { message } of taken) this.#channel.ack(message);
    return taken.length;
  }

  close(): Promise<void> {
    return closeChannel(this.#channel);
  }

  async #told<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw this.#reason ?? error;
    }
  }
}

/** Written by the broker as the message went its way: in another queue they would say what is not so. */
const OF_THE_OLD_WAY = /^(?:x-death|x-(?:first|last)-death-.*|x-delivery-count|x-acquired-count|CC|BCC)$/;

/** How a message is to be published again; null when its headers would not come out as they went in. */
function republished({ properties }: GetMessage, username: string): Options.Publish | null {
  const { clusterId: _, userId, headers = {}, ...kept } = properties;
  const own = Object.entries(headers).filter(([name]) => !OF_THE_OLD_WAY.test(name));
  if (!own.every(([, value]) => isFaithful(value, 0))) return null;
  const told = Object.entries(kept).filter(([, value]) => value !== undefined);
  return {
    ...Object.fromEntries(told),
    headers: Object.fromEntries(own),
    ...(userId === username ? { userId: username } : {}),
    mandatory: true,
  };
}

const DEEPEST = 64;

/** Whether the AMQP client writes a header's value as it has read it; it reads 64-bit integers as doubles, and text as UTF-8. */
function isFaithful(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
      return !value.includes('\uFFFD');
    case 'number':
      return !Number.isInteger(value) || Number.isSafeInteger(value);
    case 'boolean':
      return true;
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null || value instanceof Uint8Array) return true;
  if (depth >= DEEPEST) return false;
  if ('!' in value && value['!'] !== 'timestamp' && value['!'] !== 'decimal') return false;
  return Object.values(value).every((each) => isFaithful(each, depth + 1));
}
