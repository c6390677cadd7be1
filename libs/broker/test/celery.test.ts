import { amqpEnvelope, decodeEvents, decodeRedisEnvelope } from '@meadow/celery';
import { celeryEnvironment, runPython, startCeleryWorker, startRabbitmq, startRedis, waitFor } from '@meadow/testkit';
import { describe, expect, test } from 'vitest';
import { payloadOf, type BrokerDelivery } from '../src/index.ts';
import { definitionOf, listen } from './listening.ts';

const TASKS = 50;

function typesIn(deliveries: readonly BrokerDelivery[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const delivery of deliveries) {
    const envelope = delivery.kind === 'redis' ? decodeRedisEnvelope(payloadOf(delivery)) : amqpEnvelope(delivery);
    for (const { type } of decodeEvents(envelope).events) counts[type] = (counts[type] ?? 0) + 1;
  }
  return counts;
}

/** A real worker runs tasks; each of their events must be heard exactly once. */
async function everyEventIsHeard(brokerUrl: string): Promise<void> {
  await using heard = await listen(definitionOf(brokerUrl));
  await heard.reach('connected');
  await using worker = await startCeleryWorker({ brokerUrl });
  await runPython(`import garden\nfor n in range(${TASKS}): garden.add.delay(n, n)`, {
    env: celeryEnvironment({ brokerUrl }),
  });
  const done = () => (typesIn(heard.deliveries)['task-succeeded'] ?? 0) >= TASKS;
  await waitFor(done, { what: 'the last task', deadlineMs: 30_000, everyMs: 200 });
  await worker.stop();
  await waitFor(() => typesIn(heard.deliveries)['worker-offline'], { what: 'the goodbye', everyMs: 100 });
  expect(typesIn(heard.deliveries)).toMatchObject({
    'worker-online': 1,
    'task-sent': TASKS,
    'task-received': TASKS,
    'task-started': TASKS,
    'task-succeeded': TASKS,
    'worker-offline': 1,
  });
}

describe('a real Celery worker', () => {
  test('over redis', async () => {
    await using redis = await startRedis();
    await everyEventIsHeard(redis.url);
  }, 90_000);

  test('over rabbitmq', async () => {
    await using rabbit = await startRabbitmq();
    await everyEventIsHeard(rabbit.amqpUrl);
  }, 120_000);
});
