import { readFileSync } from 'node:fs';
import { slabOf } from '@meadow/broker';
import { decodeEvents, decodeRedisEnvelope, extraOf, isTaskEvent, PlainEvents } from '@meadow/celery';
import { createMask, maskingPolicy, partitionOf, TaskEventWriter } from '@meadow/contract';
import { expect, test } from 'vitest';
import { PlainRows } from './plain-rows.ts';
import type { Publisher } from './publisher.ts';
import { taskEvent, type RowContext } from './row.ts';

const policies = [{}, { enabled: false }, { extraKeys: ['ann'] }, { extraKeys: ['né'] }].map((policy) =>
  maskingPolicy.parse(policy),
);

type Row = readonly [partition: number, bytes: string];

/** What the long way makes of a message. */
function expected(context: RowContext, payload: Buffer): Row[] {
  const { events } = decodeEvents(decodeRedisEnvelope(payload));
  return events.filter(isTaskEvent).map((event) => {
    const writer = new TaskEventWriter();
    writer.append(taskEvent(context, event, extraOf(event), 12.5));
    return [partitionOf(event.uuid), writer.bytes().toString('latin1')];
  });
}

function plainly(context: RowContext, payload: Buffer): Row[] | null {
  const made: Row[] = [];
  const addTask: Publisher['addTask'] = (partition, append) => {
    const writer = new TaskEventWriter();
    append(writer);
    made.push([partition, writer.bytes().toString('latin1')]);
  };
  const events = new PlainEvents();
  if (!events.readRedis(slabOf(payload), 0, payload.length)) return null;
  const rows = new PlainRows(context, { addTask } as Publisher, events);
  for (let event = 0; event < events.count; event++) rows.add(event, 12.5);
  return made;
}

const recorded = ['celery-5.2', 'celery-latest'].flatMap((celery) =>
  readFileSync(new URL(`../../../vectors/${celery}/redis-events.jsonl`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => Buffer.from((JSON.parse(line) as { payload: string }).payload)),
);

/** One event as kombu sends it. */
const message = (event: object): Buffer =>
  Buffer.from(
    `{"body": "${Buffer.from(JSON.stringify(event)).toString('base64')}", "content-encoding": "utf-8", "content-type": "application/json", "headers": {"hostname": "w@h"}, "properties": {"delivery_mode": 1, "delivery_info": {"exchange": "celeryev", "routing_key": "task.failed"}, "priority": 0, "body_encoding": "base64", "delivery_tag": "t"}}`,
  );
const task = { type: 'task-failed', uuid: 'u-123456', hostname: 'w@h', timestamp: 1795169474.1865022, clock: 3 };
const made = [
  `{'password': 'hunter2'}`,
  `{'PassWord' : "x"}`,
  `{'p': 'no secret', 'ann': 'one for some'}`,
  'amqp://me:pw@host//',
  `('4111-1111 1111 1111',)`,
  `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0`,
  `key='\\' quoted', "double", end\n`,
  'plain',
  '',
].flatMap((text) => [{ args: text }, { kwargs: text }, { result: text }, { exception: text }, { traceback: text }]);

test.each(policies)('rows are byte for byte those of the long way, secrets hidden: %j', (policy) => {
  const context = { cluster: 'prod', mask: createMask(policy) };
  const messages = made.map((fields) => message({ ...task, ...fields, pid: 7, runtime: 0.5 }));
  for (const payload of messages) expect(plainly(context, payload)).toEqual(expected(context, payload));
  let rows = 0;
  for (const payload of recorded) {
    const plain = plainly(context, payload);
    if (plain === null) continue;
    expect(plain).toEqual(expected(context, payload));
    rows += plain.length;
  }
  expect(rows).toBeGreaterThan(150);
});
