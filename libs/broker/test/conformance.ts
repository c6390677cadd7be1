import { createServer } from 'node:net';
import { freePort, waitFor, type TestServer } from '@meadow/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BrokerConfigError, openEventSource } from '../src/index.ts';
import { definitionOf, listen } from './listening.ts';

/** A real broker, and a client of it that shares no code with the adapter under test. */
export interface BrokerUnderTest extends AsyncDisposable {
  readonly server: TestServer;
  readonly transport: 'redis' | 'amqp';
  readonly url: string;
  readonly wrongPasswordUrl: string;
  readonly wrongPlace: { readonly url: string; readonly code: string; readonly remedy: RegExp };
  /** Publishes as Celery does, in order: one message for each number, through this event exchange. */
  publish(exchange: string, routingKey: string, numbers: readonly number[]): Promise<void>;
  /** Connections whose client name is this. */
  connections(clientName: string): Promise<number>;
}

export const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** What every event source promises, whatever its broker. */
export function eventSourceConformance(name: string, start: () => Promise<BrokerUnderTest>): void {
  describe(`event source over ${name}`, () => {
    let broker: BrokerUnderTest;
    let tests = 0;
    beforeAll(async () => {
      broker = await start();
    }, 90_000);
    afterAll(() => broker[Symbol.asyncDispose]());

    /** A cluster and an exchange of its own for each test. */
    const own = (url = broker.url) => {
      tests += 1;
      return definitionOf(url, { name: `c${tests}`, eventExchange: `events${tests}` });
    };

    test('every message arrives, in order, single and multi', async () => {
      const definition = own();
      await using heard = await listen(definition);
      await heard.reach('connected');
      await broker.publish(definition.eventExchange, 'task.multi', range(1, 3000));
      await broker.publish(definition.eventExchange, 'worker.heartbeat', range(3001, 3010));
      await heard.count(3010);
      expect(heard.numbers()).toEqual(range(1, 3010));
      expect(heard.gaps).toEqual([]);
      expect(heard.source.transport).toBe(broker.transport);
      expect(heard.deliveries.every(({ redelivered }) => !redelivered)).toBe(true);
      expect(heard.deliveries.every(({ receivedAtMs }) => Math.abs(Date.now() - receivedAtMs) < 60_000)).toBe(true);
    });

    test('other exchanges are not heard', async () => {
      const definition = own();
      await using heard = await listen(definition);
      await using other = await listen(own());
      await heard.reach('connected');
      await other.reach('connected');
      await broker.publish(`events${tests}`, 'task.sent', [1]);
      await broker.publish(definition.eventExchange, 'task.sent', [2]);
      await other.count(1);
      await heard.count(1);
      expect([heard.numbers(), other.numbers()]).toEqual([[2], [1]]);
    });

    test('it survives a restart of the server, and tells how it stood', async () => {
      const definition = own();
      await using heard = await listen(definition);
      await heard.reach('connected');
      await broker.publish(definition.eventExchange, 'task.multi', [1]);
      await heard.count(1);
      await broker.server.kill9();
      await heard.reach('failed');
      expect(heard.source.status.error).toMatchObject({ code: 'BROKER_UNREACHABLE', cluster: definition.name });
      await broker.server.restart();
      await heard.reach('connected');
      await broker.publish(definition.eventExchange, 'task.multi', [2, 3]);
      await heard.count(3);
      expect(heard.numbers()).toEqual([1, 2, 3]);
      const states = heard.statuses.map(({ state }) => state).filter((state, i, all) => state !== all[i - 1]);
      expect(states).toEqual(['connecting', 'connected', 'connecting', 'failed', 'connected']);
      expect(heard.statuses.find(({ state }, i) => i > 0 && state === 'connecting')?.error?.code).toBe('BROKER_CLOSED');
      expect(heard.gaps).toHaveLength(1);
      const [gap] = heard.gaps;
      expect(gap?.fromMs).toBeGreaterThan(Date.now() - 60_000);
      expect(gap?.toMs).toBeGreaterThanOrEqual(gap?.fromMs ?? Infinity);
    }, 60_000);

    test('a broker that is down at the start is waited for', async () => {
      await broker.server.stop();
      const definition = own();
      await using heard = await listen(definition);
      await heard.reach('failed');
      await broker.server.restart();
      await heard.reach('connected');
      await broker.publish(definition.eventExchange, 'task.sent', [1]);
      await heard.count(1);
    }, 60_000);

    test('a wrong password is told as such, with the remedy and without the password', async () => {
      await using heard = await listen(own(broker.wrongPasswordUrl));
      const error = await heard.failure();
      expect(error).toMatchObject({ name: 'BrokerError', code: 'BROKER_AUTH_FAILED' });
      expect(error.message).toMatch(/^cluster c\d+: .*user:password@host/);
      expect(error.message + heard.source.endpoint).not.toContain('wrong-secret');
    });

    test('a database or virtual host that is not there is told as such', async () => {
      await using heard = await listen(own(broker.wrongPlace.url));
      const error = await heard.failure();
      expect(error.code).toBe(broker.wrongPlace.code);
      expect(error.remedy).toMatch(broker.wrongPlace.remedy);
    });

    test('a host that does not exist is unreachable', async () => {
      await using heard = await listen(own(broker.url.replace('127.0.0.1', 'no-such-host.invalid')));
      expect((await heard.failure()).code).toBe('BROKER_UNREACHABLE');
    });

    test('a broker that accepts and says nothing is given up, and holds nobody else up', async () => {
      const mute = createServer((socket) => socket.resume());
      const port = await freePort();
      await new Promise<void>((resolve) => mute.listen(port, '127.0.0.1', resolve));
      try {
        const url = new URL(broker.url);
        url.port = String(port);
        await using hung = await listen(own(url.href), { timing: { connectTimeoutMs: 700 } });
        const definition = own();
        await using heard = await listen(definition);
        await heard.reach('connected', 5000);
        await broker.publish(definition.eventExchange, 'task.sent', [1]);
        await heard.count(1, 5000);
        expect((await hung.failure()).code).toBe('BROKER_TIMEOUT');
      } finally {
        mute.close();
      }
    });

    test('a server that falls silent is noticed within the time it may keep silent', async () => {
      const definition = own();
      await using heard = await listen(definition, { timing: { silenceMs: 2000, connectTimeoutMs: 1000 } });
      await heard.reach('connected');
      process.kill(broker.server.pid, 'SIGSTOP');
      try {
        await waitFor(() => heard.source.status.state !== 'connected', { what: 'the silence to be noticed' });
        expect(heard.source.status.error?.code).toBe('BROKER_TIMEOUT');
      } finally {
        process.kill(broker.server.pid, 'SIGCONT');
      }
      await heard.reach('connected', 30_000);
      await broker.publish(definition.eventExchange, 'task.sent', [7]);
      await waitFor(() => heard.numbers().includes(7), { what: 'an event after the silence' });
    }, 60_000);

    test('an abort ends the bursts and the connection, and nothing stays open', async () => {
      const clientName = `closing-${broker.transport}`;
      const definition = own();
      const gaps: unknown[] = [];
      {
        await using heard = await listen(definition, { clientName, onGap: (gap) => gaps.push(gap) });
        await heard.reach('connected');
        await waitFor(async () => (await broker.connections(clientName)) === 1, { what: 'our connection' });
        heard.stop();
      }
      await waitFor(async () => (await broker.connections(clientName)) === 0, { what: 'our connection to be gone' });
      expect(gaps).toEqual([]);
    });

    test('an abort in the middle of a connection attempt ends at once', async () => {
      const mute = createServer((socket) => socket.resume());
      const port = await freePort();
      await new Promise<void>((resolve) => mute.listen(port, '127.0.0.1', resolve));
      const url = new URL(broker.url);
      url.port = String(port);
      const begin = performance.now();
      {
        await using heard = await listen(own(url.href), { timing: { connectTimeoutMs: 60_000 } });
        await waitFor(() => new Promise((resolve) => mute.getConnections((_e, n) => resolve(n > 0))), {
          what: 'a dial',
        });
        heard.stop();
      }
      expect(performance.now() - begin).toBeLessThan(4000);
      await waitFor(() => new Promise((resolve) => mute.getConnections((_e, n) => resolve(n === 0))), {
        what: 'a hang-up',
      });
      mute.close();
    });

    test('a definition that can never work is refused at once', async () => {
      const opened = openEventSource(own('ftp://h'), { signal: AbortSignal.abort() });
      await expect(opened).rejects.toBeInstanceOf(BrokerConfigError);
    });
  });
}
