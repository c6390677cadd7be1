import { randomUUID } from 'node:crypto';
import type { AuditRecord } from '@meadow/contract';
import { expect, test } from 'vitest';
import {
  auditExport,
  auditList,
  auditRequest,
  insertAudit,
  recentAuditIds,
  type AuditFilter,
  type Store,
} from '../src/index.ts';
import { openMigratedStore, sql } from './database.ts';

const T = Number(`${Math.floor(Date.now() / 1000) - 3600}.186502`);

const record = (more: Partial<AuditRecord> = {}): AuditRecord => ({
  ...{ id: randomUUID(), at: T, cluster: 'prod', actor: 'ann', signed_in: 'basic', address: '10.0.0.7' },
  ...{ user_agent: 'curl/8', action: 'rate_limit', target_kind: 'worker', targets: ['celery@w1'] },
  ...{ arguments: '{"rate_limit":"10/m"}', outcome: 'done', detail: '', answers: '{"celery@w1":"ok"}' },
  ...{ duration_seconds: 0.25, request_id: randomUUID(), replica: 'control-1' },
  ...more,
});

async function openWith(rows: readonly AuditRecord[]): Promise<Store> {
  const store = await openMigratedStore();
  await insertAudit(store, { rows, token: 'first' });
  return store;
}

test('a record comes back as it was written, once however often that is, and stays for 400 days', async () => {
  const row = record({ targets: ['w "1"', 'w\n2', ''], arguments: `{"a":"it's \\\\ é"}`, duration_seconds: null });
  await using store = await openWith([row]);
  await insertAudit(store, { rows: [row], token: 'first' });
  expect(await auditRequest(store, { cluster: 'prod', requestId: row.request_id })).toEqual([row]);
  const kept = await sql(store, 'SELECT toUInt32(keep_until) - toUInt32(at) AS seconds FROM meadow.audit');
  expect(kept).toEqual([{ seconds: 400 * 86_400 }]);
  const { answers: _, ...listed } = row;
  expect(await auditList(store, {})).toEqual({ rows: [listed], next: null });
});

test('the begin and the end of a long action are found by their request', async () => {
  const request_id = randomUUID();
  const begun = record({ request_id, outcome: 'begun', answers: '', duration_seconds: null });
  const ended = record({ request_id, at: T + 60, outcome: 'partly', duration_seconds: 60 });
  await using store = await openWith([ended, record({ at: T + 1 }), begun, record({ request_id, cluster: 'test' })]);
  expect(await auditRequest(store, { cluster: 'prod', requestId: request_id })).toEqual([begun, ended]);
});

test('pages and an export hold every record once, newest first, while others are added', async () => {
  // many of one instant, the rest days apart
  const rows = Array.from({ length: 250 }, (_, index) =>
    record({ at: index < 120 ? T : T - index * 7_000, cluster: index % 3 === 0 ? 'test' : 'prod' }),
  );
  await using store = await openWith(rows);
  const key = (row: Pick<AuditRecord, 'at' | 'id'>) => `${row.at} ${row.id}`;
  const expected = rows.toSorted((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1));
  const seen: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < 50; page++) {
    const { rows: found, next } = await auditList(store, { limit: 37, cursor });
    seen.push(...found.map(key));
    if (next === null) break;
    cursor = next;
    await insertAudit(store, { rows: [record({ at: T + 1 + page })], token: `page ${page}` });
  }
  expect(seen).toEqual(expected.map(key));
  const pages = [];
  for await (const page of auditExport(store, { to: T + 0.5 })) {
    pages.push(page);
    await insertAudit(store, { rows: [record({ at: T + 100 })], token: `export ${pages.length}` });
  }
  expect(pages.map((page) => page.length)).toEqual([100, 100, 50]);
  expect(pages.flat()).toEqual(expected);
  await expect(auditList(store, { cursor: 'bm9uZQ' })).rejects.toMatchObject({ code: 'STORE_BAD_CURSOR' });
});

test('filters find what they say, whatever characters they hold', async () => {
  const nasty = `it's "ü" \\ %_{x:String} 💥\n\t\u0001 -- ;`;
  const rows = {
    a: record({ at: T, action: 'queue.purge', target_kind: 'queue', targets: ['Mail', 'celery'] }),
    b: record({ at: T - 1, action: 'queue.pause', outcome: 'refused', detail: 'only admins may', actor: 'bob' }),
    c: record({
      ...{ at: T - 2, cluster: 'test', actor: nasty, action: nasty, targets: ['x', nasty], arguments: nasty },
      ...{ answers: nasty, address: nasty },
    }),
    d: record({ at: T - 3, targets: [], target_kind: 'cluster', outcome: 'unanswered', answers: '{"Straße":1}' }),
  };
  await using store = await openWith(Object.values(rows));
  const found = async (filter: AuditFilter): Promise<string> => {
    const ids = (await auditList(store, filter)).rows.map((row) => row.id);
    return Object.entries(rows)
      .flatMap(([name, row]) => (ids.includes(row.id) ? name : []))
      .join('');
  };
  expect(await found({})).toBe('abcd');
  expect(await found({ cluster: 'prod' })).toBe('abd');
  expect(await found({ actor: 'bob' })).toBe('b');
  expect(await found({ who: 'BO' })).toBe('b');
  expect(await found({ who: '10.0.' })).toBe('abd');
  expect(await found({ actor: nasty, action: nasty, target: nasty, text: nasty })).toBe('c');
  expect(await found({ action: 'queue.purge' })).toBe('a');
  expect(await found({ action: 'queue.*' })).toBe('ab');
  expect(await found({ action: 'queue' })).toBe('');
  expect(await found({ outcomes: ['refused', 'unanswered'] })).toBe('bd');
  expect(await found({ outcomes: [] })).toBe('abcd');
  expect(await found({ targetKind: 'cluster' })).toBe('d');
  expect(await found({ target: 'MAI' })).toBe('a');
  expect(await found({ text: 'ADMINS' })).toBe('b');
  expect(await found({ text: 'straßE' })).toBe('d');
  expect(await found({ text: 'mail' })).toBe('a');
  expect(await found({ text: '%' })).toBe('c');
  expect(await found({ text: rows.d.request_id })).toBe('d');
  expect(await found({ from: T - 2, to: T })).toBe('bc');
  expect(await found({ from: T })).toBe('a');
});

test('what was done to a worker is found by its whole name, whether it was named or answered', async () => {
  const answered = (worker: string): string => JSON.stringify([{ worker, outcome: 'done', words: '' }]);
  const rows = {
    named: record({ targets: ['w@a', 'w@b'], outcome: 'begun', answers: '[]' }),
    heard: record({ target_kind: 'task', targets: ['t1'], answers: answered('w@a') }),
    queue: record({ target_kind: 'queue', targets: ['w@a'], answers: '[]' }),
    longer: record({ targets: ['w@a2'], answers: answered('w@a2') }),
    odd: record({ target_kind: 'task', targets: ['t2'], answers: answered('w"\\') }),
  };
  await using store = await openWith(Object.values(rows));
  const found = async (worker: string): Promise<string[]> => {
    const ids = (await auditList(store, { worker })).rows.map((row) => row.id);
    return Object.entries(rows).flatMap(([name, row]) => (ids.includes(row.id) ? [name] : []));
  };
  expect(await found('w@a')).toEqual(['named', 'heard']);
  expect(await found('w"\\')).toEqual(['odd']);
});

test('begun is what has not ended', async () => {
  const ended = randomUUID();
  const running = record({ at: T - 5, outcome: 'begun' });
  await using store = await openWith([
    record({ at: T - 4, request_id: ended, outcome: 'begun' }),
    record({ at: T - 3, request_id: ended, outcome: 'failed' }),
    running,
    // another cluster's request is another
    record({ at: T, cluster: 'test', request_id: running.request_id, outcome: 'done' }),
  ]);
  const outcomes = async (...asked: string[]): Promise<string[]> =>
    (await auditList(store, { outcomes: asked })).rows.map((row) => `${row.cluster} ${row.outcome}`);
  expect(await outcomes('begun')).toEqual(['prod begun']);
  expect(await outcomes('begun', 'failed')).toEqual(['prod failed', 'prod begun']);
  expect((await auditList(store, {})).rows).toHaveLength(4);
});

test('the newest ids are told oldest first', async () => {
  const rows = [5, 1, 3, 2, 4].map((age) => record({ at: Date.now() / 1000 - age * 60, id: randomUUID() }));
  await using store = await openWith(rows);
  const byAge = rows.toSorted((a, b) => a.at - b.at).map((row) => row.id);
  expect(await recentAuditIds(store, { sinceSeconds: 3600, limit: 3 })).toEqual(byAge.slice(2));
  expect(await recentAuditIds(store, { sinceSeconds: 90, limit: 3 })).toEqual(byAge.slice(4));
});
