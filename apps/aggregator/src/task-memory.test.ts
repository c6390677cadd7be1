import { foldAll, MAX_FACTS } from '@meadow/celery';
import { encodeTaskEvents, type TaskEventFields } from '@meadow/contract';
import { expect, test } from 'vitest';
import { EventList, MessageMemory, NONE } from './event-list.ts';
import { TaskMemory } from './task-memory.ts';

const CLUSTER = 0;
let lists = 0;
let eventIds = 0;

function rig(idleBytes?: number) {
  const memory = new TaskMemory(idleBytes === undefined ? {} : { idleBytes });
  const messages = new MessageMemory();
  const find = (id: string, cluster = CLUSTER): number => {
    const bytes = Buffer.from(id);
    return memory.find(cluster, bytes, 0, bytes.length);
  };
  const add = (
    list: EventList,
    task_id: string,
    type: string,
    timestamp: number,
    more: Partial<TaskEventFields> = {},
  ) => {
    const event_id = String(eventIds++).padStart(16, '0');
    const event = { event_id, task_id, type, timestamp, collected_at: timestamp, worker: 'w@h', ...more };
    list.beginMessage(encodeTaskEvents([event]));
    const known = find(task_id);
    const task = list.take(known === NONE ? memory.hold(CLUSTER, timestamp) : known);
    list.add(0, task);
    return task;
  };
  /** What a batch that is written and settled leaves behind. */
  const settle = (list: EventList): void => {
    for (let task = 0; task < list.tasks; task++) {
      const { state, endSource } = memory.read(list.handleOf(task));
      memory.noteReached(list.handleOf(task), state === 'SUCCESS' || state === 'LOST', endSource === 'derived');
    }
    list.release();
  };
  const mayBeStored = (id: string): boolean => find(id) === NONE && memory.mayBeStored(CLUSTER);
  return { memory, find, add, settle, mayBeStored, list: () => new EventList(++lists, memory, messages) };
}

test('idle tasks keep their bound: what was touched longest ago is given up, and known to be in the store', () => {
  const { memory, find, add, settle, mayBeStored, list } = rig(100_000);
  for (let batch = 0; batch < 5_000; batch++) {
    const events = list();
    add(events, `task-${batch}`, 'task-sent', batch);
    if (find('task-0') !== NONE) add(events, 'task-0', 'task-progress', batch);
    settle(events);
  }
  expect(memory.idleBytes).toBeLessThanOrEqual(100_000);
  expect(memory.size).toBeLessThan(1_000);
  expect(find('task-4999')).not.toBe(NONE);
  expect(find('task-0')).not.toBe(NONE);
  expect([mayBeStored('task-1'), mayBeStored('task-4999'), mayBeStored('never heard of')]).toEqual([
    true,
    false,
    false,
  ]);
});

test('a task that ended in a batch is given up with it, unless something later was heard; an open one stays, with what is known', () => {
  const { memory, find, add, settle, list } = rig();
  const first = list();
  add(first, 'ended', 'task-succeeded', 2);
  add(first, 'heard again', 'task-succeeded', 2);
  add(first, 'open', 'task-started', 2);
  const second = list();
  add(second, 'heard again', 'task-sent', 1);
  settle(first);
  // another batch takes the place of the first
  const third = list();
  add(third, 'another', 'task-failed', 9);
  const again = add(third, 'open', 'task-sent', 1);
  expect(find('ended')).toBe(NONE);
  expect(memory.read(find('heard again'))).toMatchObject({ state: 'SUCCESS', sentAt: 1, finishedAt: 2 });
  expect(third.read(again)).toMatchObject({ id: 'open', state: 'STARTED', sentAt: 1, startedAt: 2 });
});

test('a task goes from batch to batch, through idleness, and is what its events amount to', () => {
  const { memory, find, add, settle, list } = rig();
  const types = ['task-sent', 'task-received', 'task-started', 'task-retried', 'task-received', 'task-started'];
  const heard = types.map((type, at) => ({ type, at: 10 + at, retries: at < 4 ? 0 : 1 }));
  let before: EventList | null = null;
  for (const { type, at, retries } of heard) {
    const events = list();
    add(events, 'T', type, at, { retries, args: `(${at},)`, name: 'shop.pay' });
    // every second batch finds it idle, the others where it lies with the one before
    if (before !== null) settle(before);
    if (at % 2 === 0) settle(events);
    before = at % 2 === 0 ? null : events;
  }
  const last = list();
  add(last, 'T', 'task-succeeded', 20, { result: "'ok'" });
  const facts = [...heard, { type: 'task-succeeded', at: 20, retries: null }].map(({ type, at, retries }) => ({
    ...{ type: type as 'task-sent', timestamp: at, hostname: 'w@h', uuid: 'T', clock: null, pid: null, retries },
    ...(type === 'task-succeeded' ? { result: "'ok'" } : { args: `(${at},)`, name: 'shop.pay' }),
  }));
  const { history: _, ...expected } = foldAll('T', facts);
  expect(memory.read(find('T'))).toMatchObject(expected);
});

test('what a batch touched is held, however much it is', () => {
  const { memory, find, add, settle, list } = rig(2_000);
  const events = list();
  for (let index = 0; index < 50; index++) add(events, `task-${index}`, 'task-sent', index);
  expect(memory.size).toBe(50);
  settle(events);
  expect(memory.idleBytes).toBeLessThanOrEqual(2_000);
  expect(memory.size).toBeLessThan(50);
  expect(find('task-49')).not.toBe(NONE);
});

test('thousands of reports of progress are a few bytes, and the task stays what it is', () => {
  const { memory, find, add, settle, list } = rig();
  const events = list();
  add(events, 'T', 'task-received', 1, { name: 'shop.pay' });
  add(events, 'T', 'task-started', 2);
  for (let at = 3; at < 3_000; at++) {
    add(events, 'T', 'task-progress', at, { extra: `{"done":${at}}` });
    if (at % 500 === 0) expect(memory.read(find('T')).progress?.fields).toEqual({ done: at });
  }
  settle(events);
  expect(memory.idleBytes).toBeLessThan(1_000);
  const later = list();
  add(later, 'T', 'task-succeeded', 3_000);
  expect(memory.read(find('T'))).toMatchObject({ state: 'SUCCESS', name: 'shop.pay', progress: { at: 2_999 } });
});

test('a task with more facts than the fold keeps is held as it stands while batches have to do with it, then given up', () => {
  const { memory, find, add, settle, mayBeStored, list } = rig();
  const first = list();
  for (let retries = 0; retries < MAX_FACTS; retries++) {
    add(first, 'T', 'task-received', retries * 3, { name: 'shop.poll', retries });
    add(first, 'T', 'task-retried', retries * 3 + 1);
    if (retries % 50 === 0) memory.read(find('T'));
  }
  const { attempts } = memory.read(find('T'));
  const second = list();
  add(second, 'T', 'task-received', 10_000, { name: 'shop.poll', retries: MAX_FACTS });
  settle(first);
  const now = memory.read(find('T'));
  expect(now).toMatchObject({ state: 'RECEIVED', name: 'shop.poll', retries: MAX_FACTS });
  expect(now.attempts.at(-1)?.number).toBe((attempts.at(-1)?.number ?? 0) + 1);
  settle(second);
  expect(mayBeStored('T')).toBe(true);
});

test('a task of another cluster is another task, and so is one whose id differs in case alone', () => {
  const { memory, find, add, list } = rig();
  const id = 'c0ffee00-1111-4222-8333-44445555aaaa';
  add(list(), id, 'task-sent', 1);
  expect(find(id)).not.toBe(NONE);
  const others = [find(id, 1), find(id.toUpperCase()), find(`${id}x`), find(id.slice(1)), find(id.replace('-', '_'))];
  expect(others).toEqual([NONE, NONE, NONE, NONE, NONE]);
  expect(memory.size).toBe(1);
});

test('tasks are found by ids of every form, through growth and reuse', () => {
  const { memory, find, add, settle, list } = rig(60_000_000);
  const ids = Array.from({ length: 60_000 }, (_, index) => (index % 2 === 0 ? crypto.randomUUID() : `job:${index}`));
  const events = list();
  for (const id of ids) add(events, id, 'task-sent', 1);
  expect(new Set(ids.map((id) => find(id))).size).toBe(ids.length);
  const later = list();
  for (const id of ids.slice(0, 30_000)) add(later, id, 'task-succeeded', 2);
  settle(events);
  settle(later);
  expect(memory.size).toBe(30_000);
  const more = list();
  for (let index = 0; index < 30_000; index++) add(more, `more-${index}`, 'task-sent', 3);
  expect(ids.map((id) => find(id) === NONE)).toEqual(ids.map((_, index) => index < 30_000));
});

test('an open task that was given up is known for longer than those that end meanwhile', () => {
  const { memory, find, add, settle, mayBeStored, list } = rig(0);
  const first = list();
  add(first, 'queued', 'task-sent', 1);
  settle(first);
  const events = list();
  for (let index = 0; index < 1_700_000; index++) {
    find(`task-${index}`);
    const handle = memory.hold(CLUSTER, 1);
    memory.place(handle, events.number, index);
    memory.noteReached(handle, true, false);
    memory.release(handle, events, index);
  }
  expect(mayBeStored('task-0')).toBe(false);
  expect(mayBeStored('queued')).toBe(true);
});

test('the filter of given-up ids is rarely wrong', () => {
  const { memory, mayBeStored } = rig();
  for (let index = 0; index < 500_000; index++) memory.noteStored('c', crypto.randomUUID());
  let wrong = 0;
  for (let index = 0; index < 20_000; index++) if (mayBeStored(crypto.randomUUID())) wrong++;
  expect(wrong).toBeLessThan(400);
});
