import { batchSubject, EVENTS_STREAM } from '@meadow/contract';
import { startNats, waitFor } from '@meadow/testkit';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import {
  openBus,
  withLease,
  type Bus,
  type BusNotice,
  type Change,
  type LeaseRecord,
  type StoredBatch,
} from '../src/index.ts';

type Nats = Awaited<ReturnType<typeof startNats>>;
let nats: Nats;
let bus: Bus;
const notices: BusNotice[] = [];

beforeAll(async () => {
  nats = await startNats();
  const signal = AbortSignal.timeout(20_000);
  bus = await openBus({ url: nats.url, name: 'test', signal, onNotice: (notice) => notices.push(notice) });
  await bus.events.ensure();
}, 30_000);

afterAll(async () => {
  await bus[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
});

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

async function take(from: number, count: number): Promise<StoredBatch[]> {
  const stop = new AbortController();
  const batches: StoredBatch[] = [];
  for await (const batch of bus.events.read(from, AbortSignal.any([stop.signal, AbortSignal.timeout(15_000)]))) {
    // it holds until the next is asked for
    batches.push({ ...batch, data: Buffer.from(batch.data) });
    if (batches.length === count) stop.abort();
  }
  return batches;
}

test('a batch that is published twice under one id is stored once', async () => {
  const subject = batchSubject('task', 'prod', 3);
  const before = await bus.events.state();
  const first = await bus.events.publish(subject, encode('{}\n'), { id: 'b1', count: 1, collector: 'c' });
  const second = await bus.events.publish(subject, encode('{}\n'), { id: 'b1', count: 1, collector: 'c' });
  expect([first.duplicate, second.duplicate]).toEqual([false, true]);
  const after = await bus.events.state();
  expect(after.messages - before.messages).toBe(1);
});

test('reads from a position on, in order, with kind, cluster, partition and count', async () => {
  const { lastSeq } = await bus.events.state();
  for (let index = 0; index < 5; index++) {
    const id = `r${index}`;
    await bus.events.publish(batchSubject('task', 'prod', index), encode(`${index}`), {
      id,
      count: index,
      collector: 'c',
    });
  }
  const batches = await take(lastSeq + 3, 3);
  expect(
    batches.map(({ seq, kind, cluster, partition, count, data }) => ({
      seq,
      kind,
      cluster,
      partition,
      count,
      text: new TextDecoder().decode(data),
    })),
  ).toEqual(
    [2, 3, 4].map((index) => ({
      seq: lastSeq + 1 + index,
      kind: 'task',
      cluster: 'prod',
      partition: index,
      count: index,
      text: `${index}`,
    })),
  );
});

test('a batch of a kind that this release does not know is read as such, and not passed over', async () => {
  const { lastSeq } = await bus.events.state();
  await bus.events.publish('meadow.events.later.prod.0', encode('{}\n'), { id: 'k1', count: 1, collector: 'c' });
  expect(await take(lastSeq + 1, 1)).toMatchObject([{ seq: lastSeq + 1, kind: 'unknown', cluster: 'prod' }]);
});

test('freeing up to position 0 frees nothing', async () => {
  await bus.events.publish(batchSubject('gap', 'prod', 0), encode('x'), { id: 'p0', count: 1, collector: 'c' });
  const before = await bus.events.state();
  await bus.events.purgeThrough(0);
  expect(await bus.events.state()).toEqual(before);
});

test('what is purged is passed over', async () => {
  const { lastSeq } = await bus.events.state();
  await bus.events.publish(batchSubject('gap', 'prod', 0), encode('x'), { id: 'p1', count: 1, collector: 'c' });
  await bus.events.purgeThrough(lastSeq);
  const [batch] = await take(1, 1);
  expect(batch?.seq).toBe(lastSeq + 1);
});

test('a large batch takes less room on the way and is read as it was published', async () => {
  const { bytes, lastSeq } = await bus.events.state();
  const lines = encode('{"worker":"celery@worker-1"}\n'.repeat(20_000));
  await bus.events.publish(batchSubject('worker', 'prod', 0), lines, { id: 'large', count: 20_000, collector: 'c' });
  const [batch] = await take(lastSeq + 1, 1);
  expect(Buffer.from(batch?.data ?? []).equals(lines)).toBe(true);
  expect((await bus.events.state()).bytes - bytes).toBeLessThan(lines.length / 10);
});

test('a full stream refuses what is new, keeps what it has, and takes again once there is room', async () => {
  await using server = await startNats();
  await using other = await openBus({ url: server.url, name: 'test', signal: AbortSignal.timeout(20_000) });
  await other.events.ensure({ maxBytes: 3_000_000 });
  const publish = (id: number): Promise<unknown> =>
    other.events.publish(batchSubject('task', 'prod', 0), randomBytes(900_000), {
      id: `f${id}`,
      count: 1,
      collector: 'c',
    });
  for (const id of [1, 2, 3]) await publish(id);
  await expect(publish(4)).rejects.toMatchObject({ code: 'BUS_STREAM_FULL' });
  expect(await other.events.state()).toMatchObject({ firstSeq: 1, lastSeq: 3, messages: 3 });
  await other.events.purgeThrough(1);
  await publish(4);
  expect(await other.events.state()).toMatchObject({ firstSeq: 2, lastSeq: 4, messages: 3 });
});

test('however close a message comes to the bound, the oldest is never thrown away for it', async () => {
  await using server = await startNats();
  await using other = await openBus({ url: server.url, name: 'test', signal: AbortSignal.timeout(20_000) });
  await other.events.ensure({ maxBytes: 1_000_000 });
  const publish = (id: string, bytes: number): Promise<unknown> =>
    other.events.publish(batchSubject('task', 'prod', 0), randomBytes(bytes), { id, count: 1, collector: 'c' });
  await publish('first', 1_000);
  await publish('much', 900_000);
  // as a server takes for its own bound what other releases made: there each of these fits or does not, by a byte
  const connection = await connect({ servers: server.url });
  const manager = await jetstreamManager(connection);
  const { state, config } = await manager.streams.info(EVENTS_STREAM);
  await manager.streams.update(EVENTS_STREAM, { ...config, max_bytes: state.bytes + 60_000 });
  for (let bytes = 60_000; bytes > 59_400; bytes -= 10) {
    await publish(`b${bytes}`, bytes).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'BUS_STREAM_FULL' });
    });
    expect((await other.events.state()).firstSeq, `after a message of ${bytes} bytes`).toBe(1);
  }
  await connection.close();
});

test('a bucket refuses a write based on an old revision, and skips a value that does not fit', async () => {
  const bucket = await bus.bucket('test_values', (value) => z.number().parse(value));
  const revision = await bucket.create('a', 1);
  await expect(bucket.create('a', 2)).rejects.toMatchObject({ code: 'BUS_CONFLICT' });
  await bucket.update('a', 2, revision);
  await expect(bucket.update('a', 3, revision)).rejects.toMatchObject({ code: 'BUS_CONFLICT' });
  expect(await bucket.get('a')).toMatchObject({ value: 2 });
  const text = await bus.bucket('test_values', (value) => z.string().parse(value));
  expect(await text.get('a')).toBeNull();
  expect(notices).toContainEqual(expect.objectContaining({ kind: 'invalid-value', bucket: 'test_values', key: 'a' }));
});

test('a watch tells what is there, that it has caught up, then changes and deletions', async () => {
  const bucket = await bus.bucket('test_watch', (value) => z.number().parse(value));
  await bucket.put('x', 1);
  const stop = new AbortController();
  const seen: Change<number>[] = [];
  for await (const change of bucket.watch(AbortSignal.any([stop.signal, AbortSignal.timeout(10_000)]))) {
    seen.push(change);
    if (change.kind === 'caught-up') {
      await bucket.put('y', 2);
      await bucket.delete('x');
    }
    if (change.kind === 'deleted') stop.abort();
  }
  expect(seen).toEqual([
    { kind: 'put', key: 'x', value: 1 },
    { kind: 'caught-up' },
    { kind: 'put', key: 'y', value: 2 },
    { kind: 'deleted', key: 'x' },
  ]);
});

test('a lease that is renewed has one holder; when it ends, the next takes over at once', async () => {
  const bucket = await bus.bucket('test_leases', (value) => value as LeaseRecord);
  const log: string[] = [];
  const first = new AbortController();
  const never = new AbortController();
  const hold = (name: string, signal: AbortSignal): Promise<void> =>
    withLease(bucket, 'writer', name, signal, async (lease) => {
      log.push(`${name} holds`);
      await new Promise((resolve) => lease.addEventListener('abort', resolve, { once: true }));
      log.push(`${name} ends`);
    });
  const a = hold('a', first.signal);
  await expect.poll(() => log).toEqual(['a holds']);
  const b = hold('b', never.signal);
  // for longer than it lasts without
  const { revision = 0 } = (await bucket.get('writer')) ?? {};
  await waitFor(async () => ((await bucket.get('writer'))?.revision ?? 0) >= revision + 4, {
    what: 'four renewals',
    deadlineMs: 20_000,
  });
  expect(log).toEqual(['a holds']);
  first.abort();
  await a;
  await expect.poll(() => log, { timeout: 5_000 }).toEqual(['a holds', 'a ends', 'b holds']);
  never.abort();
  await b;
});

test('a subscriber that does not take has the newest messages waiting, and no more than its bound', async () => {
  const sender = await openBus({ url: nats.url, name: 'sender', signal: AbortSignal.timeout(20_000) });
  const stop = new AbortController();
  const messages = bus.subscribe('test.flood', AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]));
  const first = messages.next();
  // the subscription is with the server before what this connection asks for after it
  await bus.events.state();
  sender.publish('test.flood', 'begin');
  await first;
  for (let n = 1; n <= 50_000; n++) sender.publish('test.flood', String(n));
  await sender[Symbol.asyncDispose]();
  // what this connection asks for now comes after the flood
  await bus.events.state();
  const taken: number[] = [];
  for await (const { data } of messages) {
    taken.push(Number(new TextDecoder().decode(data)));
    if (taken.at(-1) === 50_000) stop.abort();
  }
  expect(taken.length).toBeGreaterThanOrEqual(10_000);
  expect(taken.length).toBeLessThan(20_000);
}, 30_000);

test('comes back by itself after NATS was killed, with everything that was stored', async () => {
  const { lastSeq } = await bus.events.state();
  await nats.kill9();
  await expect(
    bus.events.publish(batchSubject('task', 'prod', 0), encode('x'), { id: 'k1', count: 1, collector: 'c' }),
  ).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE' });
  await nats.restart();
  await expect.poll(() => bus.connected, { timeout: 15_000 }).toBe(true);
  await expect
    .poll(
      () =>
        bus.events.state().then(
          (state) => state.lastSeq,
          () => -1,
        ),
      { timeout: 15_000 },
    )
    .toBe(lastSeq);
}, 40_000);

test('makes the stream and the buckets again where NATS comes back without its storage', async () => {
  const storeDir = mkdtempSync(join(tmpdir(), 'meadow-bus-'));
  await using server = await startNats({ storeDir });
  await using other = await openBus({ url: server.url, name: 'test', signal: AbortSignal.timeout(20_000) });
  await other.events.ensure();
  const bucket = await other.bucket('test_lost', (value) => z.number().parse(value));
  await bucket.put('a', 1);
  await server.kill9();
  rmSync(storeDir, { recursive: true });
  await server.restart();
  const messages = (): Promise<number> => other.events.state().then((state) => state.messages);
  await expect.poll(() => messages().catch(String), { timeout: 15_000 }).toBe(0);
  await expect.poll(() => bucket.put('a', 2).catch(String), { timeout: 15_000 }).toBe(1);
  rmSync(storeDir, { recursive: true, force: true });
}, 40_000);

test('who reads or watches is told when NATS comes back without its storage, and only then', async () => {
  const storeDir = mkdtempSync(join(tmpdir(), 'meadow-bus-'));
  await using server = await startNats({ storeDir });
  const signal = AbortSignal.timeout(40_000);
  await using other = await openBus({ url: server.url, name: 'test', signal });
  await other.events.ensure();
  const bucket = await other.bucket('test_remade', (value) => z.number().parse(value));
  const publish = (id: string): Promise<unknown> =>
    other.events.publish(batchSubject('task', 'prod', 0), encode('x'), { id, count: 1, collector: 'c' });
  for (const id of ['1', '2', '3']) {
    await publish(id);
    await bucket.put(id, Number(id));
  }
  let [read, watched]: [number, number] = [0, 0];
  const reading = (async () => {
    for await (const _batch of other.events.read(1, signal)) read++;
  })().catch((error: unknown) => error);
  const watching = (async () => {
    for await (const change of bucket.watch(signal)) if (change.kind === 'put') watched++;
  })().catch((error: unknown) => error);
  await expect.poll(() => [read, watched]).toEqual([3, 3]);

  await server.kill9();
  await server.restart();
  await expect
    .poll(
      () =>
        publish('4')
          .then(() => bucket.put('4', 4))
          .catch(String),
      { timeout: 15_000 },
    )
    .toBe(4);
  await expect.poll(() => [read, watched], { timeout: 15_000 }).toEqual([4, 4]);

  await server.kill9();
  rmSync(storeDir, { recursive: true });
  await server.restart();
  const told = await Promise.all([reading, watching]);
  expect(told).toEqual([
    expect.objectContaining({ code: 'BUS_REMADE' }),
    expect.objectContaining({ code: 'BUS_REMADE' }),
  ]);
  expect(signal.aborted).toBe(false);
  rmSync(storeDir, { recursive: true, force: true });
}, 60_000);

test('a password that NATS does not take for a while does not end the connection for good', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'meadow-bus-'));
  const file = join(folder, 'nats.conf');
  const setPassword = (password: string): void =>
    writeFileSync(file, `authorization { user: meadow, password: ${password} }\n`);
  setPassword('right');
  await using server = await startNats({ storeDir: join(folder, 'store'), args: ['-c', file] });
  const url = server.url.replace('//', '//meadow:right@');
  await using other = await openBus({ url, name: 'test', signal: AbortSignal.timeout(20_000) });
  await server.kill9();
  setPassword('wrong');
  await server.restart();
  await expect
    .poll(() => server.log().match(/authentication error/g)?.length ?? 0, { timeout: 15_000 })
    .toBeGreaterThan(2);
  await server.kill9();
  setPassword('right');
  await server.restart();
  await expect.poll(() => other.connected, { timeout: 15_000 }).toBe(true);
  rmSync(folder, { recursive: true });
}, 60_000);
