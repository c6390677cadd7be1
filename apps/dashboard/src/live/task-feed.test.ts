import { describe, expect, test } from 'vitest';
import { sampleRow } from './sample-row.ts';
import { TaskFeed } from './task-feed.ts';

const feedOf = (cap = 500, matches: (row: { state: string }) => boolean = () => true) => new TaskFeed({ cap, matches });
const ids = (feed: TaskFeed) => feed.view().rows.map((row) => row.task_id);
const pushed = (...rows: ReturnType<typeof sampleRow>[]) => ({ rows, omitted: 0 });
const row = (n: number, facts = {}) => sampleRow({ task_id: `t${n}`, first_seen_at: n, updated_at: n, ...facts });

describe('a feed that follows', () => {
  test('puts new tasks at the top and keeps the order of the server', () => {
    const feed = feedOf();
    feed.addPage([row(2), row(1)]);
    feed.push(pushed(row(3), row(0)));
    expect(ids(feed)).toEqual(['t3', 't2', 't1', 't0']);
  });

  test('keeps the newer version of a row, whichever comes first', () => {
    const feed = feedOf();
    feed.push(pushed(row(1, { state: 'SUCCESS', updated_at: 9 })));
    feed.push(pushed(row(1, { state: 'STARTED', updated_at: 8 })));
    feed.addPage([row(1, { state: 'RECEIVED', updated_at: 7 })]);
    expect(feed.view().rows.map((each) => each.state)).toEqual(['SUCCESS']);
  });

  test('tells tasks of the same id in two clusters apart', () => {
    const feed = feedOf();
    feed.push(pushed(row(1), row(1, { cluster: 'other' })));
    expect(feed.view().rows).toHaveLength(2);
  });

  test('drops a row when it stops matching, and never takes one that does not', () => {
    const feed = feedOf(500, (each) => each.state === 'STARTED');
    feed.push(pushed(row(1, { state: 'STARTED' }), row(2)));
    expect(ids(feed)).toEqual(['t1']);
    feed.push(pushed(row(1, { state: 'SUCCESS', updated_at: 5 })));
    expect(ids(feed)).toEqual([]);
  });

  test('holds no more rows than its cap, the newest', () => {
    const feed = feedOf(3);
    feed.push(pushed(...[1, 2, 3, 4, 5].map((n) => row(n))));
    expect(ids(feed)).toEqual(['t5', 't4', 't3']);
    expect(feed.view().trimmed).toBe(true);
  });

  test('adds up what the server left out', () => {
    const feed = feedOf();
    feed.push({ rows: [], omitted: 7 });
    feed.push({ rows: [], omitted: 5 });
    expect(feed.view().omitted).toBe(12);
  });

  test('keeps its view until something changes', () => {
    const feed = feedOf();
    feed.addPage([row(1)]);
    const view = feed.view();
    feed.push(pushed(row(1)));
    expect(feed.view()).toBe(view);
  });
});

describe('a held feed', () => {
  test('changes rows in place but lets nothing in, out or move', () => {
    const feed = feedOf(500, (each) => each.state !== 'SUCCESS');
    feed.addPage([row(2, { state: 'STARTED' }), row(1, { state: 'STARTED' })]);
    feed.hold(true);
    feed.push(pushed(row(3, { state: 'STARTED' }), row(2, { state: 'SUCCESS', updated_at: 9 })));
    expect(ids(feed)).toEqual(['t2', 't1']);
    expect(feed.view().rows[0]?.state).toBe('SUCCESS');
    expect(feed.view().leaving.size).toBe(1);
    expect(feed.view().waiting).toBe(1);
    feed.hold(false);
    expect(ids(feed)).toEqual(['t3', 't1']);
    expect(feed.view().waiting).toBe(0);
  });

  test('keeps older pages beyond the cap while they are read', () => {
    const feed = feedOf(2);
    feed.hold(true);
    feed.addPage([row(4), row(3)]);
    feed.addPage([row(2), row(1)]);
    feed.push(pushed(row(4, { updated_at: 99 })));
    expect(ids(feed)).toEqual(['t4', 't3', 't2', 't1']);
  });

  test('forgets a waiting task that stopped matching', () => {
    const feed = feedOf(500, (each) => each.state === 'STARTED');
    feed.hold(true);
    feed.push(pushed(row(1, { state: 'STARTED' })));
    feed.push(pushed(row(1, { state: 'SUCCESS', updated_at: 5 })));
    expect(feed.view().waiting).toBe(0);
  });

  test('counts waiting tasks up to its cap and says that there are more', () => {
    const feed = feedOf(3);
    feed.hold(true);
    for (let n = 0; n < 10; n += 1) feed.push(pushed(row(n)));
    expect(feed.view()).toMatchObject({ waiting: 3, waitingMore: true });
    feed.showWaiting();
    expect(ids(feed)).toEqual(['t9', 't8', 't7']);
  });
});

describe('a paused feed', () => {
  test('freezes shown rows too and catches up when it goes on', () => {
    const feed = feedOf();
    feed.addPage([row(1, { state: 'STARTED' })]);
    feed.pause(true);
    feed.push(pushed(row(1, { state: 'SUCCESS', updated_at: 9 }), row(2)));
    expect(feed.view().rows.map((each) => each.state)).toEqual(['STARTED']);
    expect(feed.view().waiting).toBe(1);
    feed.hold(true);
    feed.pause(false);
    expect(ids(feed)).toEqual(['t1']);
    feed.hold(false);
    expect(feed.view().rows.map((each) => [each.task_id, each.state])).toEqual([
      ['t2', 'SUCCESS'],
      ['t1', 'SUCCESS'],
    ]);
  });

  test('an older version never replaces one that waits', () => {
    const feed = feedOf();
    feed.addPage([row(1, { updated_at: 1 })]);
    feed.pause(true);
    feed.push(pushed(row(1, { state: 'FAILURE', updated_at: 9 })));
    feed.push(pushed(row(1, { state: 'STARTED', updated_at: 5 })));
    feed.pause(false);
    expect(feed.view().rows[0]?.state).toBe('FAILURE');
  });
});
