import { startRabbitmq, startRedis } from '@meadow/testkit';
import type { Target } from './load.ts';

/** One cluster on each kind of broker, as promises differ: `rabbit` and `redis`. */
export interface Brokers extends AsyncDisposable {
  readonly clusters: readonly Target[];
}

export async function startBrokers(): Promise<Brokers> {
  await using stack = new AsyncDisposableStack();
  const rabbitmq = stack.use(await startRabbitmq());
  // Meadow's patience is asked for here, not that of Redis with a slow subscriber
  const redis = stack.use(await startRedis({ args: ['--client-output-buffer-limit', 'pubsub 0 0 0'] }));
  const kept = stack.move();
  return {
    clusters: [
      { name: 'rabbit', broker: rabbitmq.amqpUrl },
      { name: 'redis', broker: redis.url },
    ],
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
