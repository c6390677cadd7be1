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
  await insertTaskEvents(store, { lines: linesOf([event('task-started', 'a', AT, { wait_seconds: 1 })]), token });
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
            (SELECT count() FROM meadow.tasks_raw) AS task_rows, (SELECT count() FROM meadow.audit) AS records,
            (SELECT count() FROM meadow.queue_samples) AS samples, (SELECT count() FROM meadow.queues_raw) AS queues`,
  );
  expect(counts).toEqual({ events: 1, counted: 1, task_rows: 1, records: 1, samples: 1, queues: 1 });
}, 60_000);
