import { parseTaskQuery } from '@meadow/contract';
import { expect, test } from 'vitest';
import { insertTasks, insertWorkers, taskList, type Store, type TaskListInput } from '../src/index.ts';
import { openMigratedStore, task } from './database.ts';

const NOW = Math.floor(Date.now() / 1000);
const T = NOW - 3600;

async function pages(
  store: Store,
  input: TaskListInput,
  between: (page: number) => Promise<void> = async () => undefined,
): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < 1000; page++) {
    const answer = await taskList(store, { ...input, cursor });
    ids.push(...answer.rows.map((row) => row.task_id));
    if (answer.next === null) return ids;
    cursor = answer.next;
    await between(page);
  }
  throw new Error('the list has no end');
}

test('pages hold every task once, newest first, while others are added and changed', async () => {
  await using store = await openMigratedStore();
  // many of the same instant, some hours, days and weeks apart
  const ages = Array.from({ length: 300 }, (_, index) =>
    index < 100 ? 0 : index < 200 ? index * 50 : (index - 199) * 40_000,
  );
  const tasks = ages.map((age, index) => task(`id-${String(index).padStart(3, '0')}`, T - age - 0.125));
  await insertTasks(store, { rows: tasks, token: 'first' });
  const expected = tasks
    .toSorted((a, b) => b.first_seen_at - a.first_seen_at || (a.task_id < b.task_id ? 1 : -1))
    .map((row) => row.task_id);
  const seen = await pages(store, { limit: 37 }, async (page) => {
    await insertTasks(store, {
      rows: [task(`added-${page}`, T + page), task('id-150', T - 7500.125, { version: page + 2, state: 'STARTED' })],
      token: `page ${page}`,
    });
  });
  expect(seen).toEqual(expected);
  const oldestFirst = await pages(store, { limit: 41, to: T, sort: { by: 'seen', desc: false } });
  expect(oldestFirst).toEqual(expected.toReversed());
});

test('in any order pages hold every task once, what is not known last', async () => {
  await using store = await openMigratedStore();
  const value = (index: number): number | null => (index % 5 === 0 ? null : (index * 7) % 4);
  const tasks = Array.from({ length: 90 }, (_, index) =>
    task(`id-${String(index).padStart(2, '0')}`, T - (index % 11) * 500, {
      ...{ cluster: index % 3 === 0 ? 'test' : 'prod', runtime_seconds: value(index), retries: value(index) },
      ...{ finished_at: value(index) === null ? null : T + (value(index) ?? 0) / 8 },
      name: `app.${'añz'[index % 3]}`,
    }),
  );
  await insertTasks(store, { rows: tasks, token: '1' });
  const compare = (a: number | string | null, b: number | string | null, desc: boolean): number => {
    if (a === b) return 0;
    if (a === null || b === null) return a === null ? 1 : -1;
    return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b))) > 0 === desc ? -1 : 1;
  };
  const columns = { runtime: 'runtime_seconds', retries: 'retries', finished: 'finished_at', name: 'name' } as const;
  for (const [by, column] of Object.entries(columns)) {
    for (const desc of [true, false]) {
      const expected = tasks.toSorted(
        (a, b) =>
          compare(a[column], b[column], desc) ||
          compare(a.first_seen_at, b.first_seen_at, desc) ||
          compare(a.task_id, b.task_id, desc),
      );
      const found = await pages(store, { limit: 13, sort: { by: by as keyof typeof columns, desc } });
      expect(found, `${by} ${desc}`).toEqual(expected.map((row) => row.task_id));
    }
  }
});

test('old versions of a task are not found, however many there are', async () => {
  await using store = await openMigratedStore();
  const ids = Array.from({ length: 40 }, (_, index) => `id-${String(index).padStart(2, '0')}`);
  for (let version = 1; version <= 12; version++) {
    const state = version === 12 ? 'SUCCESS' : 'STARTED';
    const rows = ids.map((id, index) =>
      // every tenth never ends
      task(id, T - index, { version, state: index % 10 === 0 ? 'STARTED' : state, updated_at: T + version }),
    );
    await insertTasks(store, { rows, token: String(version) });
  }
  const query = parseTaskQuery('state:STARTED', NOW);
  const expected = ids.filter((_, index) => index % 10 === 0);
  expect(await pages(store, { query, limit: 3 })).toEqual(expected);
  expect(await pages(store, { query, limit: 3, sort: { by: 'updated', desc: true } })).toEqual(expected);
  expect(await pages(store, { query: parseTaskQuery('-state:STARTED', NOW), limit: 7 })).toEqual(
    ids.filter((_, index) => index % 10 !== 0),
  );
});

test('a page as long as what there is says that it is the last', async () => {
  await using store = await openMigratedStore();
  expect(await taskList(store, {})).toEqual({ rows: [], next: null, searchedTo: null });
  await insertTasks(store, { rows: [task('a', T), task('b', T - 1)], token: '1' });
  const page = await taskList(store, { limit: 2 });
  expect(page.rows.map((row) => row.task_id)).toEqual(['a', 'b']);
  expect(page.next).toBeNull();
  const { next } = await taskList(store, { limit: 1 });
  expect(next).not.toBeNull();
  for (const cursor of ['bm9uZQ', 'W10', next?.slice(2) ?? '']) {
    await expect(taskList(store, { cursor })).rejects.toMatchObject({ code: 'STORE_BAD_CURSOR' });
  }
  const elsewhere = taskList(store, { cursor: next ?? '', sort: { by: 'runtime', desc: true } });
  await expect(elsewhere).rejects.toMatchObject({ code: 'STORE_BAD_CURSOR' });
});

test('of a page whose time is up it is told how far it came, and the next goes on there', async () => {
  await using store = await openMigratedStore();
  const ids = Array.from({ length: 25 }, (_, index) => `id-${String(index).padStart(2, '0')}`);
  await insertTasks(store, { rows: ids.map((id, index) => task(id, T - index * 7_200)), token: '1' });
  const found: string[] = [];
  let cursor: string | undefined;
  let stops = 0;
  for (let page = 0; page < 100; page++) {
    // over when the first stretch, an hour, was read
    const answer = await taskList(store, { limit: 500, cursor }, { timeoutMs: 1 });
    found.push(...answer.rows.map((row) => row.task_id));
    if (answer.next === null) break;
    expect(answer.searchedTo).not.toBeNull();
    stops += 1;
    cursor = answer.next;
  }
  expect(found).toEqual(ids);
  expect(stops).toBeGreaterThan(40);
});

const NASTY = `it's "ü" \\ %_{x:String} 💥\n\t\u0001 -- ;`;
const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;

test('a query finds what it says, whatever characters it holds', async () => {
  await using store = await openMigratedStore();
  await insertTasks(store, {
    rows: [
      task('a', T, {
        ...{ name: 'app.mail.send', state: 'FAILURE', queue: 'mail', exception: "KeyError('Straße')" },
        ...{ exception_type: 'KeyError', traceback: 'Traceback\n  line 7', fingerprint: '0123456789abcdef' },
        ...{ kwargs: "{'customer_id': 42, 'to': 'ada@example.com'}", args: "(1, [2, 3], 'x')", runtime_seconds: 3.5 },
        ...{ client: 'gen7@web', retries: 2, finished_at: T + 10 },
      }),
      task('b', T - 1, {
        ...{ name: 'app.mail', state: 'SUCCESS', worker: 'celery@w2', args: 'x'.repeat(500), result: "{'ok': True}" },
        ...{ kwargs: "{'customer_id': 420, 'on': True}", wait_seconds: 0.25, eta: '2099-01-01T00:00:00+00:00' },
        parent_id: 'a',
      }),
      task('c', T - 2, {
        ...{ name: NASTY, queue: NASTY, worker: NASTY, kwargs: NASTY, cluster: 'test', state: NASTY },
        ...{ end_reason: 'worker-lost', progress: '{"done": 3}', exchange: 'x', routing_key: 'y.z' },
      }),
      task('d', T - 3, { name: 'app', state: 'STARTED', version: 1 }),
    ],
    token: '1',
  });
  await insertTasks(store, { rows: [task('d', T - 3, { name: 'app', state: 'SUCCESS', version: 2 })], token: '2' });
  const worker = {
    ...{ cluster: 'prod', pid: 7, freq: 2, active: 0, processed: 0, loadavg: [], sw_ident: '', sw_ver: '', sw_sys: '' },
    ...{
      started_at: T,
      last_heartbeat_at: T,
      last_heard_at: T,
      clock_offset_seconds: 0,
      offline: false,
      updated_at: T,
    },
  };
  await insertWorkers(store, {
    rows: [
      { ...worker, worker: 'celery@w1', pool: 'small' },
      { ...worker, worker: 'celery@w2', pool: 'big' },
    ],
    token: '1',
  });
  const found = async (text: string, more: TaskListInput = {}) =>
    (await taskList(store, { query: parseTaskQuery(text, NOW), ...more })).rows.map((row) => row.task_id).join('');
  const cases: Readonly<Record<string, string>> = {
    '': 'abcd',
    'cluster:prod': 'abd',
    'id:a,c': 'ac',
    'state:FAILURE,SUCCESS': 'abd',
    'state:STARTED': '',
    'name:app.mail': 'b',
    'name:app.mail*': 'ab',
    'name:*mail*': 'ab',
    'name:app*send': 'a',
    'name=app.mail*': '',
    '-name:app*': 'c',
    'queue:mail,nope': 'a',
    'worker:~W2': 'b',
    'pool:big': 'b',
    '-pool:big': 'acd',
    'has:pool': 'abd',
    'client:gen*': 'a',
    'root:a,b': 'ab',
    'parent:a': 'b',
    'parent:""': 'acd',
    'has:parent': 'b',
    'exception:KeyError': 'a',
    'exception:Key*': 'a',
    'exception:~STRAßE': 'a',
    'exception:""': 'bcd',
    'traceback:~"LINE 7"': 'a',
    'error:0123456789abcdef': 'a',
    'has:error': 'a',
    'reason:worker-lost': 'c',
    'progress:~done': 'c',
    'exchange:x routing_key:y.*': 'c',
    'result:~true': 'b',
    'retries:2': 'a',
    'retries>=1': 'a',
    '-retries>=1': 'bcd',
    'attempts:1': 'abcd',
    'runtime>3': 'a',
    'runtime:3..4': 'a',
    'wait<250ms': '',
    'wait<=250ms': 'b',
    'has:runtime': 'a',
    'runtime:""': 'bcd',
    'eta>now': 'b',
    'has:finished': 'a',
    [`seen>=${new Date((T - 2) * 1000).toISOString()}`]: 'abc',
    [`seen<${new Date((T - 1) * 1000).toISOString()}`]: 'cd',
    'seen>-2h': 'abcd',
    'seen>-30m': '',
    'finished>-2h': 'a',
    'kwargs.customer_id=42': 'a',
    'kwargs.customer_id=42,420': 'ab',
    'kwargs.customer_id:4*': 'ab',
    'kwargs.on=true': 'b',
    'kwargs.to:~EXAMPLE': 'a',
    'has:kwargs.to': 'a',
    '-has:kwargs.to': 'bcd',
    'args.0=1': 'acd',
    'args.2=x': 'a',
    'args.1=2': 'cd',
    MAIL: 'ab',
    STRAßE: 'a',
    '%': 'c',
    '-mail': 'cd',
    '"customer_id\': 42,"': 'a',
    'state:FAILURE name:app.* queue:mail runtime>3 kwargs.customer_id=42 -name:heartbeat mail': 'a',
    [`name:${quoted(NASTY)}`]: 'c',
    [`name=${quoted(NASTY)} queue=${quoted(NASTY)} worker=${quoted(NASTY)} kwargs=${quoted(NASTY)}`]: 'c',
    [`name:${quoted(`${NASTY.slice(0, 12)}*`)}`]: 'c',
    [`name:${quoted(`*${NASTY.slice(5, 20)}*`)}`]: 'c',
    [`name:~${quoted(NASTY.toUpperCase())}`]: 'c',
    [quoted(NASTY)]: 'c',
  };
  for (const [text, expected] of Object.entries(cases)) expect(await found(text), text).toBe(expected);
  expect(await found('', { cluster: 'prod' })).toBe('abd');
  expect(await found('mail', { cluster: 'test' })).toBe('');
  expect(await found('', { from: T - 2, to: T })).toBe('bc');
  expect((await taskList(store, { query: parseTaskQuery('name:app.mail', NOW) })).rows[0]?.args).toHaveLength(200);
});
