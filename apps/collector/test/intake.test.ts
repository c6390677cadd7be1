import { slabOf, type RedisDelivery } from '@meadow/broker';
import { openBus } from '@meadow/bus';
import { createMask, maskingPolicy, type PoisonRecord } from '@meadow/contract';
import { startNats } from '@meadow/testkit';
import { expect, test } from 'vitest';
import { Intake } from '../src/intake.ts';
import { Loss } from '../src/loss.ts';
import { Publisher } from '../src/publisher.ts';

function delivery(payload: string): RedisDelivery {
  const slab = slabOf(Buffer.from(payload));
  const place = { slab, begin: 0, end: slab.bytes.length };
  return { kind: 'redis', channel: '/0.celeryev/task.multi', ...place, receivedAtMs: 1, redelivered: false };
}

function envelope(body: unknown): string {
  const text = Buffer.from(JSON.stringify(body)).toString('base64');
  const properties = { body_encoding: 'base64', delivery_info: { exchange: 'celeryev', routing_key: 'task.multi' } };
  return JSON.stringify({
    ...{ body: text, 'content-type': 'application/json', 'content-encoding': 'utf-8', headers: {}, properties },
  });
}

test('a message is buried once, however many of its events fail, and what cannot be masked is not kept', async () => {
  await using nats = await startNats();
  const signal = AbortSignal.timeout(20_000);
  await using bus = await openBus({ url: nats.url, name: 'test', signal });
  await bus.events.ensure();
  const told = {
    onPublished: () => undefined,
    onRetry: () => undefined,
    onTooLarge: () => undefined,
    onLost: () => undefined,
  };
  const publisher = new Publisher({ cluster: 'prod', collector: 'c', stream: bus.events, signal, ...told });
  const intake = new Intake({ cluster: 'prod', mask: createMask(maskingPolicy.parse({})) }, publisher, new Loss());
  const body = [{ type: 1 }, { note: 'x', password: 'hunter2' }, { type: 'task-sent' }];
  expect(intake.take(delivery(envelope(body)), 1).rejected).toHaveLength(3);
  // base64 that the mask could not read
  expect(intake.take(delivery(`${envelope(body).slice(0, -1)}`), 1).rejected).toEqual(['CELERY_ENVELOPE_INVALID']);
  await publisher.drain(5_000);
  for await (const { data } of bus.events.read(1, signal)) {
    const lines = Buffer.from(data).toString().trimEnd().split('\n');
    const poison = lines.map((line) => JSON.parse(line) as PoisonRecord);
    const bodies = poison.map((record) => record.body);
    const masked = '[{"type":1},{"note":"x","password":"***"},{"type":"task-sent"}]';
    expect(bodies).toEqual([masked, '', '', '']);
    expect(poison.every(({ size }) => size > 50)).toBe(true);
    break;
  }
}, 30_000);
