import type { EventStream } from '@meadow/bus';
import type { EncodedTask } from '@meadow/celery';
import { batchSubject, encodeTaskEvents, eventId, partitionOf, type Mask } from '@meadow/contract';

export interface SentEventsOptions {
  readonly cluster: string;
  /** Who sends: the events' host name. */
  readonly origin: string;
  readonly replica: string;
  readonly stream: EventStream;
  readonly mask: Mask;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Tells of each task that Meadow sends what Celery's clients tell of theirs, by `task_send_sent_event`: without it nobody would
 * know its queue. What it repeats is among the event's other fields, as `meadow_retry_of`. The event goes the way of all events,
 * and a task is none the worse for one that is lost.
 */
export class SentEvents {
  readonly #options: SentEventsOptions;
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: SentEventsOptions) {
    this.#options = options;
  }

  /** @param sentAt Unix seconds, before it left: no worker has it earlier */
  tell(task: EncodedTask, sentAt: number): void {
    const telling = this.#publish(task, sentAt)
      .catch(this.#options.onFailure)
      .finally(() => this.#underWay.delete(telling));
    this.#underWay.add(telling);
  }

  /** Resolves when all has been told, or could not be: each has its deadline. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #publish({ id, name, exchange, routingKey, headers }: EncodedTask, sentAt: number): Promise<void> {
    const { cluster, origin, replica, stream, mask } = this.#options;
    const retryOf = textOf(headers['meadow_retry_of']);
    const rows = encodeTaskEvents([
      {
        event_id: eventId(cluster, origin, null, null, 'task-sent', id, sentAt),
        ...{ type: 'task-sent', timestamp: sentAt, collected_at: Date.now() / 1000, worker: origin },
        ...{ task_id: id, name, retries: 0, exchange, routing_key: routingKey },
        // through an exchange, RabbitMQ does not tell where it went
        ...(exchange === '' ? { queue: routingKey } : {}),
        ...{ args: maskedOf(headers['argsrepr'], mask), kwargs: maskedOf(headers['kwargsrepr'], mask) },
        ...{ eta: textOf(headers['eta']), expires: textOf(headers['expires']) },
        ...{ root_id: textOf(headers['root_id']), parent_id: textOf(headers['parent_id']) },
        ...(retryOf === undefined ? {} : { extra: JSON.stringify({ meadow_retry_of: retryOf }) }),
      },
    ]);
    const about = { id: `sent-${cluster}-${id}`, count: 1, collector: replica };
    await stream.publish(batchSubject('task', cluster, partitionOf(id)), rows, about);
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

function maskedOf(value: unknown, mask: Mask): string | undefined {
  const text = textOf(value);
  return text === undefined ? undefined : mask(text);
}
