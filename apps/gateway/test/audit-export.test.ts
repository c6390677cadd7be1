import type { AuditRecord } from '@meadow/contract';
import { insertAudit, migrate, openStore, type Store } from '@meadow/store';
import { startMeadow, waitFor, type Meadow } from '@meadow/testkit';
import { randomUUID } from 'node:crypto';
import { get } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { metric } from './client.ts';

let meadow: Meadow;
let store: Store;
let url: string;
const NOW = Math.floor(Date.now() / 1000);
const MANY = 100_000;
/** So that all of them together are 250 MB. */
const LONG = JSON.stringify(Array.from({ length: 40 }, () => ({ worker: 'celery@w1', outcome: 'done', words: 'ok' })));

const record = (more: Partial<AuditRecord> = {}): AuditRecord => ({
  ...{ id: randomUUID(), at: NOW - 60, cluster: 'prod', actor: 'ann', signed_in: 'basic', address: '10.0.0.7' },
  ...{ user_agent: 'curl/8', action: 'rate_limit', target_kind: 'worker', targets: ['celery@w1'] },
  ...{ arguments: '{"rate_limit":"10/m"}', outcome: 'done', detail: '', answers: '[]' },
  ...{ duration_seconds: 0.25, request_id: randomUUID(), replica: 'control-1' },
  ...more,
});

beforeAll(async () => {
  meadow = await startMeadow({ services: ['gateway'] });
  url = meadow.services.gateway?.url ?? '';
  store = openStore({ url: meadow.clickhouse.url });
  const early = await fetch(`${url}/export/audit.csv`);
  expect([early.status, await early.text()]).toEqual([503, expect.stringContaining('STORE_NOT_READY')]);
  await migrate(store);
  for (let from = 0; from < MANY; from += 20_000) {
    const rows = Array.from({ length: 20_000 }, (_, index) =>
      record({
        ...{ cluster: 'many', at: NOW - 86_400 - (from + index) * 0.01, user_agent: `agent ${from + index}` },
        answers: LONG,
      }),
    );
    await insertAudit(store, { rows, token: `many ${from}` });
  }
}, 120_000);

afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
}, 60_000);

/** Reads RFC 4180 as a spreadsheet does. */
function cellsOf(csv: string): string[][] {
  const lines: string[][] = [];
  const line: string[] = [];
  for (const [, quoted, plain = '', end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    line.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end !== ',') lines.push(line.splice(0));
  }
  return lines;
}

test('hostile texts arrive whole, in one cell each, and none is a formula', async () => {
  const hostile = `=HYPERLINK("http://evil","x")`;
  const row = record({
    ...{ cluster: 'nasty', at: NOW - 10.186502, actor: hostile, address: '+1', action: '-1+1', user_agent: '@SUM(A1)' },
    ...{ targets: ['=1', 'two "words", \n and a line'], detail: '\tx' },
    ...{ arguments: '{"a":"1\\r\\n=2,\\"b\\""}', answers: `[{"worker":"Straße","words":"it's 💥"}]` },
  });
  await insertAudit(store, { rows: [row], token: 'nasty' });
  const csv = await fetch(`${url}/export/audit.csv?cluster=nasty`);
  expect(csv.headers.get('content-disposition')).toMatch(
    /^attachment; filename="meadow-audit-nasty-\d{4}-\d\d-\d\d\.csv"$/,
  );
  expect(csv.headers.get('content-type')).toContain('text/csv');
  const lines = cellsOf(await csv.text());
  expect(lines.map((cells) => cells.length)).toEqual([17, 17]);
  const told = Object.fromEntries(lines[0]!.map((name, index) => [name, lines[1]![index]]));
  expect(told).toMatchObject({
    ...{ actor: `'${hostile}`, address: `'+1`, action: `'-1+1`, user_agent: `'@SUM(A1)`, cluster: 'nasty' },
    ...{ at: `${new Date((NOW - 11) * 1000).toISOString().slice(0, 19)}.813498Z`, duration_seconds: '0.25' },
    ...{ targets: JSON.stringify(row.targets), arguments: row.arguments, answers: row.answers },
  });
  expect(lines.flat().filter((cell) => /^[=+\-@\t\r]/.test(cell))).toEqual([]);
  const ndjson = await fetch(`${url}/export/audit.ndjson?cluster=nasty`);
  expect(ndjson.headers.get('content-type')).toContain('application/x-ndjson');
  // the store keeps one line of a detail
  expect(JSON.parse(await ndjson.text())).toEqual({ ...row, detail: ' x' });
});

test('the filters are those of the list, and what cannot be meant is refused by name', async () => {
  const rows = [
    record({ cluster: 'some', outcome: 'refused', actor: 'bob' }),
    record({ cluster: 'some', outcome: 'failed', at: NOW - 7_200 }),
    record({ cluster: 'some', targets: ['celery@w9'] }),
  ];
  await insertAudit(store, { rows, token: 'some' });
  const ids = async (query: string): Promise<string[]> => {
    const text = await (await fetch(`${url}/export/audit.ndjson?cluster=some&${query}`)).text();
    return text.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as AuditRecord).id]));
  };
  expect(await ids('outcomes=refused,failed')).toEqual([rows[0]!.id, rows[1]!.id]);
  expect(await ids('outcomes=failed&outcomes=refused&range=1h')).toEqual([rows[0]!.id]);
  expect(await ids('who=BO')).toEqual([rows[0]!.id]);
  expect(await ids('worker=celery%40w9')).toEqual([rows[2]!.id]);
  expect(await ids(`from=${NOW - 7_300}&to=${NOW - 7_100.5}`)).toEqual([rows[1]!.id]);
  expect(await ids('text=none%20such')).toEqual([]);
  const refusal = async (query: string): Promise<string> => {
    const answer = await fetch(`${url}/export/audit.csv?${query}`);
    return `${answer.status} ${await answer.text()}`;
  };
  expect(await refusal('outcomes=done,finished')).toMatch(/^400 [^]*"finished" is no outcome: use one of begun, done/);
  expect(await refusal('targetKind=pod')).toContain('"pod" is no kind of target');
  expect(await refusal('from=yesterday')).toMatch(/^400 [^]*from/);
  expect(await refusal('from=2&to=1')).toContain('from must lie before to');
  expect(await refusal('range=1h&from=1')).toContain('use either range or from');
  expect(await refusal('cluster=Prod!')).toContain('→ at cluster');
  expect(await refusal('cluster=a&cluster=b')).toMatch(/^400/);
  expect(await refusal('actr=ann')).toMatch(/^400 [^]*"actr"/);
});

test('a hundred thousand records stream, and the gateway needs no more memory for them', async () => {
  const memory = () => metric(url, 'process_resident_memory_bytes');
  // what is loaded and compiled with the first export counts as no growth
  await (await fetch(`${url}/export/audit.csv?cluster=many&to=${NOW - 86_400 - 900}`)).text();
  const before = await memory();
  let most = 0;
  const seen = new Uint8Array(MANY);
  const answer = await fetch(`${url}/export/audit.ndjson?cluster=many`);
  let rest = '';
  let chunks = 0;
  let bytes = 0;
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) seen[Number(/"agent (\d+)"/.exec(line)?.[1])]! += 1;
    bytes += chunk.length;
    if (++chunks % 100 === 0) most = Math.max(most, await memory());
  }
  expect(rest).toBe('');
  expect(seen.every((times) => times === 1)).toBe(true);
  expect(bytes).toBeGreaterThan(250e6);
  // what is garbage already counts too, and is collected when there are some tens of megabytes of it
  expect(most).toBeGreaterThan(before / 2);
  expect(most - before).toBeLessThan(100e6);
}, 240_000);

/** Reads the beginning, and then nothing, until it hangs up. */
function beginToRead(path: string): Promise<{ hangUp: () => void; status: number | undefined }> {
  return new Promise((resolve, reject) => {
    const request = get(`${url}${path}`, { agent: false }, (response) => {
      response.once('error', () => undefined);
      response.once('readable', () => {
        resolve({ hangUp: () => response.destroy(), status: response.statusCode });
      });
    });
    request.once('error', reject);
  });
}

const asked = (): Promise<number> => metric(url, 'meadow_gateway_question_seconds_count{question="audit export"}');

test('an export waits for who reads it, ends with who hangs up, and only so many run at a time', async () => {
  const asMuch = await asked();
  const readers = await Promise.all(Array.from({ length: 4 }, () => beginToRead('/export/audit.ndjson?cluster=many')));
  const fifth = await fetch(`${url}/export/audit.ndjson?cluster=many`);
  expect([fifth.status, fifth.headers.get('retry-after')]).toEqual([429, '30']);
  await waitFor(
    async () => {
      const before = await asked();
      await new Promise((resolve) => setTimeout(resolve, 300));
      return (await asked()) === before;
    },
    { what: 'the exports to wait', deadlineMs: 20_000, everyMs: 10 },
  );
  // what is on its way is in the buffers of sockets, of a thousand pages that each would be
  const pages = (await asked()) - asMuch;
  expect([pages >= 4, pages < 400]).toEqual([true, true]);
  for (const reader of readers) reader.hangUp();
  await waitFor(async () => (await fetch(`${url}/export/audit.csv?cluster=none`)).ok, {
    ...{ what: 'the places to be free again', deadlineMs: 10_000, everyMs: 100 },
  });
});

test('an export whose store is lost half way is a broken connection, not a short file', async () => {
  const { body } = await fetch(`${url}/export/audit.csv?cluster=many`);
  const reader = body!.getReader();
  await reader.read();
  await meadow.clickhouse.stop();
  const read = async (): Promise<void> => {
    for (;;) if ((await reader.read()).done) return;
  };
  await expect(read()).rejects.toThrow();
  expect((await fetch(`${url}/export/audit.csv`)).status).toBe(503);
}, 60_000);
