import { encodeTaskEvents, HEAD_COLUMNS, type TaskEventFields } from '@meadow/contract';
import { inject, expect, test } from 'vitest';

const TAIL = ['name', 'queue', 'root_id', 'parent_id'];
const table = [...HEAD_COLUMNS.map((column) => column.join(' ')), ...TAIL.map((name) => `${name} String`)];

/** What ClickHouse makes of a batch's rows. */
async function asRead(batch: Buffer): Promise<unknown[]> {
  const rows: Buffer[] = [];
  for (let at = 0; at < batch.length; at += 4 + batch.readUInt32LE(at)) {
    rows.push(batch.subarray(at + 8, at + 4 + batch.readUInt32LE(at)));
  }
  const name = `rows_${crypto.randomUUID().replaceAll('-', '')}`;
  await ask(`CREATE TABLE ${name} (${table.join(', ')}) ENGINE = Memory`);
  await ask(`INSERT INTO ${name} FORMAT RowBinary`, Buffer.concat(rows));
  const answer = await ask(
    `SELECT * FROM ${name} FORMAT JSONEachRow
     SETTINGS output_format_json_quote_64bit_integers = 0, output_format_json_quote_decimals = 0`,
  );
  await ask(`DROP TABLE ${name}`);
  return answer
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

async function ask(query: string, body: Buffer = Buffer.alloc(0)): Promise<string> {
  const response = await fetch(`${inject('clickhouseUrl')}/?query=${encodeURIComponent(query)}`, {
    method: 'POST',
    body: new Uint8Array(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}

const bare = Object.fromEntries([
  ...HEAD_COLUMNS.map(([name, type]) => [name, type.startsWith('Nullable') ? null : '']),
  ...TAIL.map((name) => [name, '']),
]) as Record<string, unknown>;

const minimal: TaskEventFields = {
  event_id: '0123456789abcdef',
  type: 'task-started',
  timestamp: 1795169474.186502,
  collected_at: 1795169475.5,
  worker: 'w@h',
};

test('ClickHouse reads in every column what the collector wrote', async () => {
  const full: TaskEventFields = {
    ...minimal,
    ...{ type: 'task-failed', task_id: 'u1', pid: 4_294_967_295, clock: 2 ** 53 - 1, retries: 0, runtime: -0.125 },
    ...{ args: `(1, 'é漢😀')`, kwargs: `{'a': "\0\\\n"}`, result: 'r'.repeat(127), exception: 'x'.repeat(128) },
    ...{ traceback: 'é漢😀a'.repeat(200_000), eta: '2026-01-01', expires: '2027-01-01', exchange: 'ex' },
    ...{ routing_key: 'rk', signum: '9', extra: '{"n":1}', end_reason: 'lost', terminated: true, expired: false },
    ...{ requeue: true, name: 'a.b', queue: 'q'.repeat(16_384), root_id: 'r1', parent_id: 'p1' },
  };
  const wild: TaskEventFields = { ...minimal, timestamp: -3, collected_at: 9e10, clock: 0, pid: 0, runtime: 1e300 };
  const rows = await asRead(encodeTaskEvents([minimal, full, wild]));
  expect(rows).toEqual([
    { ...bare, ...minimal },
    { ...bare, ...full },
    { ...bare, ...wild, timestamp: 0, collected_at: 4_102_444_800 },
  ]);
});
