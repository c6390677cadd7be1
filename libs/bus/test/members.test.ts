import { jetstreamManager } from '@nats-io/jetstream';
import { connect as connectNats, type NatsConnection } from '@nats-io/transport-node';
import { startNats, waitFor } from '@meadow/testkit';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { joinMembers, openBus, withLease, type Bus, type LeaseRecord, type Membership } from '../src/index.ts';

type Nats = Awaited<ReturnType<typeof startNats>>;
let nats: Nats;
let bus: Bus;

const connect = (): Promise<Bus> => openBus({ url: nats.url, name: 'test', signal: AbortSignal.timeout(20_000) });

beforeAll(async () => {
  nats = await startNats();
  bus = await connect();
}, 30_000);

afterAll(async () => {
  await bus[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
});

const join = (service: string, id: string, over: Bus = bus): Promise<Membership> =>
  joinMembers(over, service, id, AbortSignal.timeout(60_000));

const closing = (value: NatsConnection) => ({ value, [Symbol.asyncDispose]: () => value.close() });

const ids = (members: Membership): string => members.current.map(({ id }) => id).join(' ');

async function sees(members: Membership, expected: string, deadlineMs = 1_000): Promise<void> {
  await waitFor(() => ids(members) === expected, { what: `members "${expected}", not "${ids(members)}"`, deadlineMs });
}

/** Notes what a member sees from now on. @returns ends it, and tells the different views in order */
function noteViews(members: Membership): () => Promise<string[]> {
  const views = new Set<string>();
  const stop = new AbortController();
  const noting = (async () => {
    while (!stop.signal.aborted) {
      views.add(ids(members));
      await members.changed(stop.signal);
    }
  })();
  return async () => {
    stop.abort();
    await noting;
    return [...views];
  };
}

test('a newcomer knows all others at once, and they know it; who leaves is gone at once', async () => {
  await using a = await join('greeting', 'host.a-1');
  await using b = await join('greeting', 'host.b-1');
  await using _stranger = await join('greetings', 'c');
  expect(ids(b)).toBe('host.a-1 host.b-1');
  await sees(a, 'host.a-1 host.b-1');
  b.leave();
  expect(ids(b)).toBe('host.a-1');
  await sees(a, 'host.a-1');
});

test('what a member can take over is told at once', async () => {
  await using a = await join('ready', 'a');
  await using b = await join('ready', 'b');
  await sees(a, 'a b');
  // the first may have come with a beat; then the next beat is seconds away
  for (const ready of [['x'], ['x', 'y']]) {
    b.announce(ready);
    await waitFor(() => a.current[1]?.ready.join() === ready.join(), { what: 'what b announced', deadlineMs: 1_000 });
  }
  expect(a.current).toEqual([
    { id: 'a', ready: [] },
    { id: 'b', ready: ['x', 'y'] },
  ]);
});

test('a member that announces much takes nobody who beats as usual for silent', async () => {
  await using a = await join('busy', 'a');
  await using b = await join('busy', 'b');
  await sees(a, 'a b');
  const views = noteViews(a);
  for (let n = 1; n <= 20; n++) {
    a.announce([String(n)]);
    // one that the next one replaces at once need not come back
    await waitFor(() => b.current[0]?.ready[0] === String(n), {
      what: 'an announcement',
      deadlineMs: 5_000,
      everyMs: 5,
    });
  }
  // comes to `a` after all of its own
  b.announce(['x']);
  await waitFor(() => a.current[1]?.ready[0] === 'x', { what: 'the word of b', deadlineMs: 5_000 });
  expect(await views()).toEqual(['a b']);
});

test('who dies is gone within 9 s, for those who knew it and for newcomers', async () => {
  const dying = await connect();
  await using a = await join('dying', 'a');
  await join('dying', 'b', dying);
  await sees(a, 'a b');
  await dying[Symbol.asyncDispose]();
  const began = performance.now();
  await sees(a, 'a', 9_000);
  expect(performance.now() - began).toBeGreaterThan(4_000);
  await waitFor(
    async () => {
      await using late = await join('dying', 'c');
      return ids(late) === 'a c';
    },
    { what: 'a newcomer to see the living only', deadlineMs: 9_000, everyMs: 500 },
  );
}, 40_000);

test('who was started in the place of a dead member takes it out at once, for all, and no other', async () => {
  const dying = await connect();
  await using a = await join('heirs', 'a');
  await join('heirs', 'place-1', dying);
  await using _other = await join('heir', 'place-1');
  await sees(a, 'a place-1');
  await dying[Symbol.asyncDispose]();
  const signal = AbortSignal.timeout(60_000);
  await using heir = await joinMembers(bus, 'heirs', 'place-2', signal, (id) => id === 'place-1');
  expect(ids(heir)).toBe('a place-2');
  await sees(a, 'a place-2');
  await using late = await join('heir', 'place-3');
  expect(ids(late)).toBe('place-1 place-3');
}, 20_000);

test('while NATS is away nobody is gone, and afterwards changes are heard again', async () => {
  await using a = await join('outage', 'a');
  await using b = await join('outage', 'b');
  await sees(a, 'a b');
  const views = noteViews(a);
  await nats.kill9();
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  await nats.restart();
  await waitFor(() => bus.connected, { what: 'a connection', deadlineMs: 15_000 });
  await using _c = await join('outage', 'c');
  await sees(a, 'a b c', 10_000);
  // several silences pass
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  b.leave();
  await sees(a, 'a c', 10_000);
  expect((await views()).slice(0, 2)).toEqual(['a b', 'a b c']);
}, 90_000);

test('a member whom NATS tells nothing any more asks anew', async () => {
  await using a = await join('deaf', 'a');
  await using connection = closing(await connectNats({ servers: nats.url }));
  const manager = await jetstreamManager(connection.value);
  for (const { name } of await manager.consumers.list('KV_meadow_members').next()) {
    await manager.consumers.delete('KV_meadow_members', name);
  }
  await using _b = await join('deaf', 'b');
  // by itself the client notices after a minute
  await sees(a, 'a b', 20_000);
}, 60_000);

test('keys are listed in time, however many are being written', async () => {
  const bucket = await bus.bucket('listed', (value) => value as number);
  const writing = new AbortController();
  const writers = ['x', 'y', 'z'].map(async (key) => {
    for (let n = 0; !writing.signal.aborted; n++) await bucket.put(key, n);
  });
  const took: number[] = [];
  for (let look = 0; look < 300; look++) {
    const began = performance.now();
    expect((await bucket.all()).length).toBeLessThanOrEqual(3);
    took.push(performance.now() - began);
  }
  writing.abort();
  await Promise.all(writers);
  await bucket.delete('y');
  expect((await bucket.all()).map(({ key }) => key).sort()).toEqual(['x', 'z']);
  expect(Math.max(...took)).toBeLessThan(2_000);
}, 60_000);

test('after NATS lost its storage, members are heard and missed as before', async () => {
  const storeDir = mkdtempSync(joinPath(tmpdir(), 'meadow-members-'));
  await using server = await startNats({ storeDir });
  await using over = await openBus({ url: server.url, name: 'test', signal: AbortSignal.timeout(20_000) });
  await using a = await join('lost', 'a', over);
  await using b = await join('lost', 'b', over);
  // several beats, so that what comes after the loss has lower positions than what was heard before
  await sees(a, 'a b');
  for (const ready of ['1', '2', '3', '4', '5', '6']) b.announce([ready]);
  await server.kill9();
  rmSync(storeDir, { recursive: true });
  await server.restart();
  await waitFor(() => over.connected, { what: 'a connection', deadlineMs: 15_000 });
  await using _c = await join('lost', 'c', over);
  await sees(a, 'a b c', 5_000);
  b.leave();
  await sees(a, 'a c', 5_000);
  rmSync(storeDir, { recursive: true, force: true });
}, 60_000);

const held = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

test('a lease passes on when its holder gives it up by ending its work', async () => {
  const bucket = await bus.bucket('test_given', (value) => value as LeaseRecord);
  const giveUp = new AbortController();
  const a = withLease(bucket, 'x', 'a', AbortSignal.timeout(20_000), () => held(giveUp.signal));
  await waitFor(async () => (await bucket.get('x'))?.value.holder === 'a', { what: 'a to hold' });
  const b = withLease(bucket, 'x', 'b', AbortSignal.timeout(20_000), () => Promise.resolve());
  giveUp.abort();
  await Promise.all([a, b]);
  expect(await bucket.get('x')).toBeNull();
});

test('a lease whose holder fell silent is taken when it has run out, by one of those who want it', async () => {
  const bucket = await bus.bucket('test_silent', (value) => value as LeaseRecord);
  await bucket.create('x', { holder: 'dead', renewedAt: Date.now() });
  const began = performance.now();
  const takenMs: number[] = [];
  let working = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    takenMs.push(performance.now() - began);
    most = Math.max(most, ++working);
    // longer than the others take to look again
    await new Promise((resolve) => setTimeout(resolve, 600));
    working--;
  };
  const wanting = ['b', 'c', 'd'].map((holder) => withLease(bucket, 'x', holder, AbortSignal.timeout(25_000), work));
  await Promise.all(wanting);
  expect(takenMs).toHaveLength(3);
  expect(Math.min(...takenMs)).toBeGreaterThan(5_000);
  expect(most).toBe(1);
});

test('a lease of a holder that is known to be gone is taken without waiting for it to run out', async () => {
  const bucket = await bus.bucket('test_gone', (value) => value as LeaseRecord);
  await bucket.create('x', { holder: 'dead', renewedAt: 0 });
  const began = performance.now();
  await withLease(bucket, 'x', 'b', AbortSignal.timeout(20_000), () => Promise.resolve(), {
    isGone: (holder) => holder === 'dead',
  });
  expect(performance.now() - began).toBeLessThan(2_000);
});

test('while NATS is away a holder stops, or goes on where it may, until another has the lease', async () => {
  const bucket = await bus.bucket('test_away', (value) => value as LeaseRecord);
  const log: string[] = [];
  const end = new AbortController();
  const hold = (name: string, unreachable: 'stop' | 'go-on'): Promise<void> =>
    withLease(
      bucket,
      name,
      'a',
      end.signal,
      async (signal) => {
        await held(signal);
        log.push(name);
      },
      { unreachable },
    );
  const both = [hold('strict', 'stop'), hold('relaxed', 'go-on')];
  for (const name of ['strict', 'relaxed'])
    await waitFor(async () => (await bucket.get(name)) !== null, { what: `${name} to be held` });
  await nats.kill9();
  await waitFor(() => log.includes('strict'), { what: 'the strict holder to stop', deadlineMs: 15_000 });
  await nats.restart();
  await waitFor(() => bus.connected, { what: 'a connection', deadlineMs: 15_000 });
  expect(log).toEqual(['strict']);
  // another takes it
  await waitFor(
    () =>
      bucket.put('relaxed', { holder: 'b', renewedAt: 0 }).then(
        () => true,
        () => false,
      ),
    { what: 'the lease to be taken', deadlineMs: 10_000 },
  );
  await waitFor(() => log.includes('relaxed'), { what: 'the relaxed holder to stop', deadlineMs: 10_000 });
  end.abort();
  await Promise.all(both);
}, 60_000);

test('a renewal whose answer was lost does not cost the lease', async () => {
  const bucket = await bus.bucket('test_answer', (value) => value as LeaseRecord);
  const end = new AbortController();
  let lost = false;
  const a = withLease(bucket, 'x', 'a', end.signal, async (signal) => {
    await held(signal);
    lost = !end.signal.aborted;
  });
  await waitFor(async () => (await bucket.get('x')) !== null, { what: 'a to hold' });
  // as the record stands when the server wrote it and the holder does not know
  const revision = await bucket.put('x', { holder: 'a', renewedAt: 1 });
  await waitFor(async () => ((await bucket.get('x'))?.revision ?? 0) > revision, {
    what: 'a renewal',
    deadlineMs: 5_000,
  });
  end.abort();
  await a;
  expect(lost).toBe(false);
});
