import { startEmbeddedClickHouse } from '@meadow/testkit';
import { expect, test } from 'vitest';
import {
  insertAudit,
  insertQueueSamples,
  insertTaskEvents,
  insertTasks,
  migrate,
  openStore,
  type Store,
} from '../src/index.ts';
import { event, linesOf, sql, task } from './database.ts';

const AT = Math.floor(Date.now() / 1000);
const token = 'stream/1-2';

async function insertAll(store: Store): Promise<void> {
  const started = { ...event('task-started', 'a', AT, { wait_seconds: 1 }), event_id: '1'.repeat(16) };
  const failed = { ...event('task-failed', 'a', AT, { fingerprint: 'f'.repeat(16) }), event_id: '2'.repeat(16) };
  await insertTaskEvents(store, { lines: linesOf([started, failed]), token });
  await insertTasks(store, { rows: [task('a', AT)], token });
  await insertAudit(store, { lines: linesOf([{ cluster: 'prod', at: AT, id: 'a' }]), token });
  await insertQueueSamples(store, { lines: linesOf([{ cluster: 'prod', at: AT, queue: 'q' }]), token });
}

test('what was inserted by the process that migrated is known again after ClickHouse was killed', async () => {
  await using clickhouse = await startEmbeddedClickHouse();
  await using store = openStore({ url: clickhouse.url });
  await migrate(store);
  await insertAll(store);
  await clickhouse.kill9();
  await clickhouse.restart();
  await insertAll(store);
  const [counts] = await sql(
    store,
    `SELECT (SELECT count() FROM meadow.task_events) AS events, (SELECT sum(events) FROM meadow.task_rollup) AS counted,
            (SELECT sum(events) FROM meadow.name_hour_rollup) AS by_name, (SELECT sum(events) FROM meadow.worker_hour_rollup) AS by_worker,
            (SELECT count() FROM meadow.failures) AS failures, (SELECT sum(failures) FROM meadow.error_rollup) AS failed,
            (SELECT sum(failures) FROM meadow.error_groups) AS in_groups,
            (SELECT count() FROM meadow.tasks_raw) AS task_rows, (SELECT count() FROM meadow.audit) AS records,
            (SELECT count() FROM meadow.queue_samples) AS samples, (SELECT count() FROM meadow.queues_raw) AS queues`,
  );
  const twice = { events: 2, counted: 2, by_name: 2, by_worker: 2 };
  const once = { failures: 1, failed: 1, in_groups: 1, task_rows: 1, records: 1, samples: 1, queues: 1 };
  expect(counts).toEqual({ ...twice, ...once });
}, 60_000);
