import { describe, expect, test } from 'vitest';
import { workflowOf, type WorkflowTask } from './workflow.ts';

const T = 1_700_000_000;

/** A task that was sent at `at`, began a second later and ran for `ran` seconds; for ever when null. */
const task = (id: string, parent: string, at: number, ran: number | null, more: Partial<WorkflowTask> = {}) =>
  ({
    ...{ task_id: id, parent_id: parent, name: `app.${id}`, queue: 'celery', worker: 'celery@w1', exception: '' },
    ...{ sent_at: T + at, received_at: T + at, started_at: T + at + 1, first_seen_at: T + at, attempts: 1, runs: [] },
    ...{ finished_at: ran === null ? null : T + at + 1 + ran, runtime_seconds: ran },
    state: ran === null ? 'STARTED' : 'SUCCESS',
    ...more,
  }) satisfies WorkflowTask;

/** The tree as text: two blanks a level, `?` for who was not seen, `~` where the place is assumed. */
const drawn = (tasks: readonly WorkflowTask[], rootId = 'root'): string[] =>
  workflowOf(rootId, tasks).members.map(
    ({ task_id, depth, seen, link }) =>
      `${'  '.repeat(depth)}${task_id}${seen ? '' : '?'}${link === 'assumed' ? '~' : ''}`,
  );

describe('the tree', () => {
  test('stands children behind their parents, siblings as they were sent', () => {
    const tasks = [
      ...[task('b1', 'b', 12, 1), task('b', 'root', 3, 1), task('root', '', 0, 1), task('a2', 'a', 9, 1)],
      ...[task('a', 'root', 2, 1), task('a1', 'a', 8, 1)],
    ];
    expect(drawn(tasks)).toEqual(['root', '  a', '    a1', '    a2', '  b', '    b1']);
    expect(drawn(tasks.toReversed())).toEqual(drawn(tasks));
    const { members } = workflowOf('root', tasks);
    expect(members.map(({ descendants }) => descendants)).toEqual([5, 2, 0, 0, 1, 0]);
    expect(members.map(({ parent }) => parent)).toEqual([null, 0, 1, 1, 0, 4]);
  });

  test('keeps a place for who is named and was never heard of', () => {
    expect(drawn([task('root', '', 0, 1), task('c', 'gone', 5, 1), task('d', 'root', 9, 1)])).toEqual([
      'root',
      '  gone?~',
      '    c',
      '  d',
    ]);
    expect(drawn([task('c', 'root', 5, 1)])).toEqual(['root?', '  c']);
    expect(drawn([])).toEqual(['root?']);
  });

  test('puts whoever names no parent beneath the root, and says so', () => {
    expect(drawn([task('root', '', 0, 1), task('stray', '', 5, 1)])).toEqual(['root', '  stray~']);
  });

  test('cuts what goes round in a circle, and leaves nobody out', () => {
    const circle = [task('a', 'c', 1, 1), task('b', 'a', 2, 1), task('c', 'b', 3, 1), task('self', 'self', 9, 1)];
    expect(drawn([task('root', '', 0, 1), ...circle])).toEqual(['root', '  a~', '    b', '      c', '  self~']);
    expect(workflowOf('root', [task('root', 'c', 0, 1), ...circle]).members[0]).toMatchObject({ descendants: 4 });
  });

  test('is of any depth and width, and quick', () => {
    const chain = Array.from({ length: 20_000 }, (_, at) => task(`t${at}`, at === 0 ? 'root' : `t${at - 1}`, at, 1));
    expect(workflowOf('root', chain)).toMatchObject({ depth: 20_000, seen: 20_000, unseen: 1 });
    const began = performance.now();
    const wide = Array.from({ length: 20_000 }, (_, at) => task(`t${at}`, 'root', at, 1));
    expect(workflowOf('root', wide).members[0]).toMatchObject({ descendants: 20_000 });
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

describe('the whole', () => {
  test.each([
    [['SUCCESS', 'SUCCESS'], 'succeeded'],
    [['SUCCESS', 'FAILURE', 'LOST'], 'failed'],
    [['LOST', 'REVOKED'], 'lost'],
    [['SUCCESS', 'REJECTED'], 'stopped'],
    [['FAILURE', 'STARTED'], 'running'],
    [['SUCCESS', 'PROGRESS'], 'running'],
    [[], 'unknown'],
  ])('of %j is %s', (states, whole) => {
    const tasks = states.map((state, index) => task(`t${index}`, 'root', index, 1, { state }));
    expect(workflowOf('root', tasks).state).toBe(whole);
  });

  test('counts by state, and ends when its last task does', () => {
    const tasks = [task('root', '', 0, 1), task('a', 'root', 2, 5), task('b', 'gone', 3, 1, { state: 'FAILURE' })];
    expect(workflowOf('root', tasks)).toMatchObject({
      ...{ name: 'app.root', totals: { SUCCESS: 2, FAILURE: 1 }, seen: 3, unseen: 1, ended: 3, depth: 2 },
      ...{ startedAt: T, endedAt: T + 8 },
    });
    const open = workflowOf('root', [...tasks, task('c', 'a', 9, null)]);
    expect(open).toMatchObject({ state: 'running', ended: 3, endedAt: null });
  });
});

describe('the critical path', () => {
  const path = (tasks: readonly WorkflowTask[]) => {
    const { members, critical } = workflowOf('root', tasks);
    return critical.map(({ member, waited, ran, then }) => [members[member]?.task_id, waited, ran, then]);
  };

  test('leads from the root to the task that ended last', () => {
    // a chord: b ends last of the header, and its callback comes two seconds later
    const tasks = [
      ...[task('root', '', 0, 3), task('a', 'root', 2, 2), task('b', 'root', 2, 10), task('c', 'root', 3, 1)],
      task('sum', 'b', 15, 1),
    ];
    expect(path(tasks)).toEqual([
      // it sent the next while it ran
      ['root', 1, 1, 0],
      ['b', 1, 10, 2],
      ['sum', 1, 1, null],
    ]);
  });

  test('leads to the open task that began first while there is one', () => {
    const tasks = [task('root', '', 0, 3), task('young', 'root', 9, null), task('old', 'root', 4, null)];
    expect(path(tasks).map(([id]) => id)).toEqual(['root', 'old']);
  });

  test('counts retries as running', () => {
    const runs = [3, 8].map((at) => ({ started_at: T + at, ended_at: T + at + 1, state: 'RETRY' }));
    const retried = task('a', 'root', 2, 1, { runs, started_at: T + 8, finished_at: T + 9 });
    expect(path([task('root', '', 0, 1), retried])[1]).toEqual(['a', 1, 6, null]);
  });

  test('passes over who was not seen, and knows no negative time', () => {
    const skewed = task('late', 'gone', 5, 1, { started_at: T + 3 });
    expect(path([skewed])).toEqual([
      ['root', null, null, null],
      ['gone', null, null, 0],
      ['late', 0, 4, null],
    ]);
  });
});
