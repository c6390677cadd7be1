import { DEFAULT_ERROR_RULES, type ErrorRule } from '@meadow/contract';
import { expect, test } from 'vitest';
import {
  errorCategories,
  errorGroup,
  errorGroups,
  errorRulesNow,
  insertErrorGroupWords,
  insertErrorRules,
  insertTaskEvents,
  insertTasks,
  insertWorkers,
  type ErrorGroupsInput,
  type ErrorGroupWords,
  type Store,
  type TaskEventLine,
} from '../src/index.ts';
import { event, linesOf, openMigratedStore, sql, task } from './database.ts';

/** An hour ago: rollups forget by the clock of the wall. */
const T = Math.floor(Date.now() / 3_600_000) * 3_600 - 3_600;
const A = 'a'.repeat(16);
const B = 'b'.repeat(16);
const C = 'c'.repeat(16);

const failed = (fingerprint: string, at: number, more: Partial<TaskEventLine> = {}): TaskEventLine =>
  event('task-failed', `${fingerprint.slice(0, 1)}-${at}`, at, {
    ...{ fingerprint, name: 'shop.charge', queue: 'high', exception_type: 'ValueError', exception: "ValueError('no')" },
    ...{ culprit: 'shop.bank.pay', ...more },
  });

let writes = 0;
async function write(store: Store, lines: readonly TaskEventLine[]): Promise<void> {
  await insertTaskEvents(store, { lines: linesOf(lines), token: `t${(writes += 1)}` });
}

async function say(store: Store, words: Omit<ErrorGroupWords, 'cluster' | 'by'> & { by?: string }): Promise<void> {
  await insertErrorGroupWords(store, { words: { cluster: 'prod', by: 'ann', ...words }, token: `s${(writes += 1)}` });
}

const list = (store: Store, more: Partial<ErrorGroupsInput> = {}) =>
  errorGroups(store, { rules: DEFAULT_ERROR_RULES, from: T - 3_600, to: T + 3_600, ...more });

test('failures fall into groups, with how many there were, when, where and what they are', async () => {
  await using store = await openMigratedStore();
  await write(store, [
    failed(A, T, { name: 'shop.refund', queue: 'low', worker: 'celery@w2' }),
    failed(A, T + 60, { exception: "ValueError('newest')", ran_seconds: 2 }),
    failed(A, T + 30, { type: 'task-retried', ran_seconds: 4 }),
    failed(B, T + 10, { exception_type: 'SoftTimeLimitExceeded', exception: 'SoftTimeLimitExceeded()' }),
    event('meadow-lost', 'l', T + 20, { fingerprint: C, end_reason: 'worker-lost' }),
    event('task-succeeded', 'x', T),
    failed(A, T, { cluster: 'test' }),
  ]);
  const { groups, totals } = await list(store, { cluster: 'prod' });
  expect(groups.map((group) => [group.fingerprint, group.category, group.failures])).toEqual([
    [A, 'validation', 3],
    [C, 'worker-lost', 1],
    [B, 'timeout', 1],
  ]);
  expect(groups[0]).toMatchObject({
    ...{ cluster: 'prod', exception_type: 'ValueError', message: "ValueError('newest')", culprit: 'shop.bank.pay' },
    ...{ first_seen_at: T, last_seen_at: T + 60, retried: 1, lost: 0, status: 'open', regressed: false },
    ...{ names: ['shop.charge', 'shop.refund'], name_count: 2, queue_count: 2, worker_count: 2, status_at: null },
  });
  expect(groups[1]).toMatchObject({ exception_type: 'LOST', message: 'worker-lost', lost: 1 });
  expect(groups[0]?.trend.reduce((sum, count) => sum + count, 0)).toBe(3);
  expect(totals).toEqual([
    { status: 'open', category: 'timeout', groups: 1, failures: 1 },
    { status: 'open', category: 'validation', groups: 1, failures: 3 },
    { status: 'open', category: 'worker-lost', groups: 1, failures: 1 },
  ]);
  expect((await list(store)).groups).toHaveLength(4);
});

test('a list is narrowed by task, queue, worker, words, category and span, and ordered as asked', async () => {
  await using store = await openMigratedStore();
  await write(store, [
    failed(A, T - 1_000),
    failed(A, T - 900),
    failed(A, T - 800),
    failed(B, T - 2_000, { name: 'other', queue: 'low', worker: 'w%', exception: "E('100% _ \\' ü')", culprit: '' }),
    failed(B, T + 1_000, { name: 'other', exception_type: 'ReadTimeout', exception: "ReadTimeout('Straße')" }),
    failed(C, T + 2_000, { exception_type: 'MemoryError', exception: 'MemoryError()' }),
    failed(C, T + 2_100, { exception_type: 'MemoryError', exception: 'MemoryError()' }),
  ]);
  const found = async (more: Partial<ErrorGroupsInput>): Promise<string> =>
    (await list(store, more)).groups.map((group) => group.fingerprint[0]).join('');
  expect(await found({})).toBe('acb');
  expect(await found({ order: 'last_seen' })).toBe('cba');
  expect(await found({ order: 'first_seen' })).toBe('cab');
  expect(await found({ order: 'rise' })).toBe('cba');
  expect(await found({ limit: 1 })).toBe('a');
  expect(await found({ name: 'other' })).toBe('b');
  expect(await found({ queue: 'low' })).toBe('b');
  expect(await found({ worker: 'w%' })).toBe('b');
  expect(await found({ text: 'straSSE' })).toBe('');
  expect(await found({ text: 'STRASS' })).toBe('');
  expect(await found({ text: 'straße' })).toBe('b');
  expect(await found({ text: 'BANK.pay' })).toBe('acb');
  expect(await found({ text: 'cccc' })).toBe('c');
  expect(await found({ text: "'%_" })).toBe('');
  expect(await found({ categories: ['timeout', 'memory'] })).toBe('cb');
  expect(await found({ categories: ['permission'] })).toBe('');
  expect(await found({ from: T - 950, to: T + 1_500 })).toBe('ab');
  expect(await found({ cluster: 'none' })).toBe('');
});

test(
  'however often, late and shuffled events come, the rollup and the groups equal what the events say',
  { timeout: 120_000 },
  async () => {
    await using store = await openMigratedStore();
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const lines = Array.from({ length: 4_000 }, (_, index) => {
      const at = T - random(9 * 86_400) + random(1e6) / 1e6;
      const more = {
        name: `n${random(5)}`,
        queue: `q${random(3)}`,
        worker: `w${random(4)}`,
        collected_at: at + random(90_000),
      };
      if (index % 4 === 0) return event('task-succeeded', `s${index}`, at, more);
      const type = (['task-failed', 'task-retried', 'meadow-lost', 'meadow-result-FAILURE'] as const)[random(4)] ?? '';
      return failed(`${random(6)}`.repeat(16), at, { ...more, type, task_id: `t${index}` });
    });
    const shuffled = lines.map((line) => ({ line, key: random(1e6) })).sort((a, b) => a.key - b.key);
    for (let batch = 0; batch < 20; batch += 1) {
      const part = linesOf(shuffled.slice(batch * 200, batch * 200 + 200).map(({ line }) => line));
      for (let repeat = 0; repeat <= random(2); repeat += 1) {
        await insertTaskEvents(store, { lines: part, token: `batch ${batch}` });
      }
    }
    const raw = (columns: string, keys: string): string =>
      `SELECT ${columns}, count() AS failures, countIf(type = 'task-retried') AS retried, countIf(type = 'meadow-lost') AS lost
     FROM meadow.task_events WHERE fingerprint != '' GROUP BY ${keys} ORDER BY ${keys}`;
    const keys = 'hour, fingerprint, name, queue, worker';
    expect(
      await sql(
        store,
        `SELECT ${keys}, sum(failures) AS failures, sum(retried) AS retried, sum(lost) AS lost
       FROM meadow.error_rollup GROUP BY ${keys} ORDER BY ${keys}`,
      ),
    ).toEqual(await sql(store, raw(`toStartOfHour(timestamp) AS ${keys}`, keys)));
    const groups = await sql(
      store,
      'SELECT fingerprint, first_seen_at, last_seen_at, failures, retried, lost FROM meadow.error_groups ORDER BY fingerprint',
    );
    const seen = 'fingerprint, min(timestamp) AS first_seen_at, max(timestamp) AS last_seen_at';
    expect(groups).toEqual(await sql(store, raw(seen, 'fingerprint')));
    expect(groups).toHaveLength(6);
    // a long span is read from the rollup, a short one from the failures
    const spans = [
      { from: T - 9 * 86_400, to: T + 3_600 },
      { from: T - 86_400, to: T },
    ];
    for (const span of spans) {
      const told = (await list(store, { ...span, limit: 500 })).groups;
      const [counted] = await sql<{ failures: number }>(
        store,
        `SELECT count() AS failures FROM meadow.task_events
       WHERE fingerprint != '' AND timestamp >= toDateTime(${span.from}, 'UTC') AND timestamp < toDateTime(${span.to}, 'UTC')`,
      );
      expect(told.reduce((sum, group) => sum + group.failures, 0)).toBe(counted?.failures);
      expect(told.flatMap((group) => group.trend).reduce((sum, count) => sum + count, 0)).toBe(counted?.failures);
      const { series } = await errorCategories(store, { rules: DEFAULT_ERROR_RULES, ...span, bucketSeconds: 3_600 });
      expect(series.flatMap(({ points }) => points).reduce((sum, count) => sum + count, 0)).toBe(counted?.failures);
    }
  },
);

test('one that is resolved is open again once it fails later, and only then', async () => {
  await using store = await openMigratedStore();
  await write(store, [failed(A, T)]);
  const status = async (): Promise<unknown[]> => {
    const [group] = (await list(store)).groups;
    return [group?.status, group?.regressed, group?.status_by];
  };
  await say(store, { fingerprint: A, status: 'resolved', at: T + 100 });
  expect(await status()).toEqual(['resolved', false, 'ann']);
  // happened before it was resolved, and is heard after
  await write(store, [failed(A, T + 50, { collected_at: T + 500 })]);
  expect(await status()).toEqual(['resolved', false, 'ann']);
  // a clock that is ahead: it cannot have happened after it was heard
  await write(store, [failed(A, T + 900, { collected_at: T + 90 })]);
  expect(await status()).toEqual(['resolved', false, 'ann']);
  await write(store, [failed(A, T + 101)]);
  expect(await status()).toEqual(['open', true, 'ann']);
  expect((await list(store, { statuses: ['open'] })).groups).toHaveLength(1);
  expect((await list(store, { statuses: ['resolved'] })).groups).toHaveLength(0);
  await say(store, { fingerprint: A, status: 'open', at: T + 200, by: 'bob' });
  expect(await status()).toEqual(['open', false, 'bob']);
  await say(store, { fingerprint: A, status: 'ignored', at: T + 300 });
  await write(store, [failed(A, T + 400)]);
  expect(await status()).toEqual(['ignored', false, 'ann']);
});

test('of what people say the newest word on each matter counts, in whatever order it is written', async () => {
  await using store = await openMigratedStore();
  await write(store, [failed(A, T)]);
  await say(store, { fingerprint: A, note: 'second', at: T + 20 });
  await say(store, { fingerprint: A, note: 'first', assignee: 'bob', at: T + 10 });
  await say(store, { fingerprint: A, status: 'ignored', at: T + 15 });
  const [group] = (await list(store)).groups;
  expect(group).toMatchObject({ note: 'second', assignee: 'bob', status: 'ignored', status_at: T + 15 });
  await say(store, { fingerprint: A, assignee: '', at: T + 30 });
  expect((await list(store)).groups[0]).toMatchObject({ note: 'second', assignee: '', status: 'ignored' });
});

test('rules that are written count for what failed before, the first that holds', async () => {
  await using store = await openMigratedStore();
  await write(store, [failed(A, T), failed(B, T, { name: 'other', exception: "ValueError('gone (1)')" })]);
  expect(await errorRulesNow(store)).toEqual({ rules: DEFAULT_ERROR_RULES, written: null });
  const rules: ErrorRule[] = [
    { category: 'memory', exception: '', message: '*GONE (?)*', name: '' },
    { category: 'permission', exception: 'key*|value*', message: '*gone (1)*', name: 'Other' },
    { category: 'timeout', exception: 'Value', message: '', name: '' },
    { category: 'worker-lost', exception: 'ValueErro?', message: '', name: '' },
  ];
  await insertErrorRules(store, { rules: [], at: T, by: '', token: '1' });
  await insertErrorRules(store, { rules, at: T + 1, by: 'ann', token: '2' });
  expect(await errorRulesNow(store)).toEqual({ rules, written: { at: T + 1, by: 'ann' } });
  const { groups } = await list(store, { rules });
  expect(groups.map((group) => [group.fingerprint, group.category])).toEqual([
    [A, 'other'],
    [B, 'permission'],
  ]);
});

test('a group tells its trend, whom it affects, how long runs took, its newest tasks and traceback', async () => {
  await using store = await openMigratedStore();
  await write(store, [
    failed(A, T, { task_id: 'one', traceback: 'old', ran_seconds: 10 }),
    failed(A, T + 600, { task_id: 'two', traceback: 'newest', ran_seconds: 20, queue: 'low', exception: 'E(2)' }),
    failed(A, T + 300, { task_id: 'one', traceback: 'between', type: 'task-retried' }),
    failed(B, T + 900, { task_id: 'two', traceback: 'of another group' }),
    failed(A, T + 950, { cluster: 'test', traceback: 'of another cluster' }),
  ]);
  await insertTasks(store, { rows: [task('one', T, { state: 'SUCCESS' })], token: '1' });
  await insertWorkers(store, {
    lines: linesOf([{ cluster: 'prod', worker: 'celery@w1', sw_ident: 'py-celery', sw_ver: '5.2.6', updated_at: T }]),
    token: '1',
  });
  await say(store, { fingerprint: A, note: 'known', at: T + 20 });
  const asked = {
    cluster: 'prod',
    fingerprint: A,
    rules: DEFAULT_ERROR_RULES,
    from: T,
    to: T + 3_600,
    bucketSeconds: 300,
  };
  const group = await errorGroup(store, asked);
  expect(group).toMatchObject({
    ...{ failures: 3, retried: 1, lost: 0, trend: [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], from: T, bucket_seconds: 300 },
    ...{ names: [{ value: 'shop.charge', failures: 3 }], ran: { runs: 2, mean: 15, max: 20 }, traceback: 'newest' },
    queues: [
      { value: 'high', failures: 2 },
      { value: 'low', failures: 1 },
    ],
    ...{ versions: ['py-celery 5.2.6'], note: 'known' },
    changes: [{ at: T + 20, by: 'ann', status: null, assignee: null, note: 'known' }],
  });
  expect(group?.samples.map(({ task_id, at, kind, state, message }) => [task_id, at, kind, state, message])).toEqual([
    ['two', T + 600, 'failed', '', 'E(2)'],
    ['one', T + 300, 'retried', 'SUCCESS', "ValueError('no')"],
  ]);
  const before = await errorGroup(store, { ...asked, from: T - 3_600, to: T });
  expect(before).toMatchObject({
    failures: 0,
    ran: { runs: 0, mean: null, max: null },
    names: [],
    traceback: 'newest',
  });
  expect(await errorGroup(store, { ...asked, fingerprint: C })).toBeNull();
});

test('a million failures fall into their groups in under two seconds', { timeout: 120_000 }, async () => {
  await using store = await openMigratedStore();
  await sql(
    store,
    `INSERT INTO meadow.task_events_in (cluster, type, timestamp, collected_at, task_id, name, queue, worker, exception_type, exception, fingerprint, culprit)
     SELECT 'prod', 'task-failed', ${T} - number % 86400 AS timestamp, timestamp, toString(number), concat('shop.task', toString(number % 97)),
            concat('queue', toString(number % 7)), concat('celery@worker', toString(number % 40)), concat('Error', toString(number % 31)),
            concat('ValueError(\\'order ', toString(number), ' is gone\\')'),
            lower(hex(sipHash64(intDiv(number * number, 977) % 500))), concat('shop.bank.pay', toString(number % 300))
     FROM numbers(1000000)`,
  );
  const times: number[] = [];
  for (let look = 0; look < 3; look += 1) {
    const began = performance.now();
    const { groups } = await list(store, { from: T - 86_400, to: T + 1, limit: 500 });
    times.push(performance.now() - began);
    expect(groups.reduce((sum, group) => sum + group.failures, 0)).toBe(1_000_000);
  }
  expect(Math.min(...times)).toBeLessThan(2_000);
});
