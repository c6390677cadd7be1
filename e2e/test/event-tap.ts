import { connect } from 'amqplib';
import { Redis } from 'ioredis';

/** What Celery really published, counted by a listener that shares no code with Meadow. */
export interface EventTap extends AsyncDisposable {
  /** Events heard so far by type, task events only. */
  readonly counts: ReadonlyMap<string, number>;
  readonly taskIds: ReadonlySet<string>;
  total(): number;
}

interface Heard {
  type: string;
  uuid?: string;
}

function createCounter(): { tap: Omit<EventTap, typeof Symbol.asyncDispose>; hear: (body: string) => void } {
  const counts = new Map<string, number>();
  const taskIds = new Set<string>();
  return {
    tap: { counts, taskIds, total: () => [...counts.values()].reduce((sum, count) => sum + count, 0) },
    hear: (body) => {
      const parsed = JSON.parse(body) as Heard | Heard[];
      for (const event of Array.isArray(parsed) ? parsed : [parsed]) {
        if (!event.type.startsWith('task-')) continue;
        counts.set(event.type, (counts.get(event.type) ?? 0) + 1);
        if (event.uuid !== undefined) taskIds.add(event.uuid);
      }
    },
  };
}

export async function tapRedis(url: string): Promise<EventTap> {
  const { tap, hear } = createCounter();
  const client = new Redis(url);
  client.on('pmessage', (_pattern: string, _channel: string, payload: string) => {
    const { body } = JSON.parse(payload) as { body: string };
    hear(Buffer.from(body, 'base64').toString());
  });
  await client.psubscribe('/0.celeryev/*');
  return {
    ...tap,
    [Symbol.asyncDispose]: async () => {
      client.disconnect();
    },
  };
}

export async function tapRabbitmq(url: string): Promise<EventTap> {
  const { tap, hear } = createCounter();
  const connection = await connect(url);
  const channel = await connection.createChannel();
  await channel.assertExchange('celeryev', 'topic', { durable: true });
  const { queue } = await channel.assertQueue('', { exclusive: true, durable: false });
  await channel.bindQueue(queue, 'celeryev', '#');
  await channel.consume(queue, (message) => message !== null && hear(message.content.toString()), { noAck: true });
  return { ...tap, [Symbol.asyncDispose]: () => connection.close() };
}
