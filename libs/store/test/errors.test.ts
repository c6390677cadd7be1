import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { dbInfo, insertTaskEvents, openStore, ping } from '../src/index.ts';
import { event, linesOf, openFreshStore, openMigratedStore, sql } from './database.ts';

test('nobody listening is unreachable, and worth another try', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  await using store = openStore({ url: `http://127.0.0.1:${port}` });
  await expect(ping(store)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', retryable: true });
});

test('a query past its deadline is a timeout, by the engine itself', async () => {
  await using store = openFreshStore();
  const slow = store.query(
    'slow',
    'SELECT count() FROM numbers(1e13) WHERE NOT ignore(sipHash64(number))',
    {},
    { timeoutMs: 1_000 },
  );
  await expect(slow).rejects.toMatchObject({ code: 'STORE_TIMEOUT', retryable: true, clickhouseCode: '159' });
});

test('a database without schema says so', async () => {
  await using store = openFreshStore();
  await expect(dbInfo(store)).rejects.toMatchObject({ code: 'STORE_SCHEMA_MISSING', retryable: false });
});

test('a line that is not JSON is rejected for good, and nothing of its batch is written', async () => {
  await using store = await openMigratedStore();
  const lines = [linesOf([event('task-received', 'a', 1_795_169_474)]), Buffer.from('{"cluster": nonsense\n')];
  await expect(insertTaskEvents(store, { lines, token: 'bad' })).rejects.toMatchObject({
    code: 'STORE_REJECTED',
    retryable: false,
    isOfRows: true,
  });
  expect(await sql(store, 'SELECT count() AS n FROM meadow.task_events')).toEqual([{ n: 0 }]);
});

test('an abort throws the reason of the caller', async () => {
  await using store = openFreshStore();
  const reason = new Error('stopping');
  const call = dbInfo(store, { signal: AbortSignal.abort(reason) });
  await expect(call).rejects.toBe(reason);
});
