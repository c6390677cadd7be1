import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { foldAll, foldWorker, livenessOf } from '../src/index.ts';
import type { CeleryEvent, TaskEvent } from '../src/event.ts';
import type { Worker } from '../src/index.ts';
import { event, id } from './life.ts';
import { lines } from './recorded.ts';

function task(...events: readonly TaskEvent[]) {
  return foldAll(id, events);
}

function worker(...events: readonly CeleryEvent[]): Worker | null {
  return events.reduce<Worker | null>((known, one) => foldWorker(known, one), null);
}

const sent = event('sent', 1, { retries: 0, name: 't', args: '(1,)', kwargs: '{}' });
const received = event('received', 2, { retries: 0, name: 't' });
const started = event('started', 3);
const retried = event('retried', 4, { exception: 'E()' });
const again = event('received', 5, { retries: 1, name: 't', parent_id: id });
const restarted = event('started', 6);
const succeeded = event('succeeded', 7);
const online = {
  type: 'worker-online',
  hostname: 'w1@h',
  timestamp: 100,
  pid: 1,
  clock: 1,
  freq: 2,
  active: 0,
  processed: 0,
};
const beat = { ...online, type: 'worker-heartbeat' };

/** One proof per row of docs/celery-state.md. */
const proofs: Record<string, () => void> = {
  'rejected stays started': () => {
    expect(task(received, started, event('rejected', 4, { requeue: false })).state).toBe('REJECTED');
  },
  'late retry rules': () => {
    expect(task(received, started, again, restarted, succeeded, retried).state).toBe('SUCCESS');
    expect(task(received, retried, succeeded, started, again, restarted).state).toBe('SUCCESS');
  },
  'a publication ends a retry': () => {
    expect(task(received, started, retried, event('sent', 4.1, { retries: 1 })).state).toBe('RETRY');
  },
  'late event overwrites attempt': () => {
    const late = task(again, restarted, received, started, retried);
    expect(late).toMatchObject({ receivedAt: 5, startedAt: 6, retries: 1, state: 'STARTED' });
  },
  'late event overwrites timestamp': () => {
    const elsewhere = event('started', 3, { hostname: 'w0@h' });
    expect(task(received, succeeded, elsewhere)).toMatchObject({ stateAt: 7, finishedAt: 7, worker: 'w1@h' });
  },
  'retry overwrites publisher': () => {
    expect(task(sent, event('sent', 4, { retries: 1, hostname: 'gen3@h' }))).toMatchObject({
      client: 'gen9@h',
      sentAt: 1,
    });
  },
  'own parent': () => {
    expect(task(event('received', 1, { retries: 0, parent_id: 'P' }), again).parentId).toBe('P');
    expect(task(again).parentId).toBeNull();
  },
  'failure outlives success': () => {
    expect(task(received, started, retried, again, succeeded)).toMatchObject({
      exception: null,
      attempts: [{ exception: 'E()' }, {}],
    });
  },
  'exception with traceback': () => {
    const traceback =
      'Traceback (most recent call last):\n  File "x"\nbilliard.exceptions.WorkerLostError: signal 9 (SIGKILL)\n';
    const failed = event('failed', 4, { exception: 'ExceptionWithTraceback()', traceback });
    expect(task(failed)).toMatchObject({
      exception: 'billiard.exceptions.WorkerLostError: signal 9 (SIGKILL)',
      exceptionType: 'WorkerLostError',
    });
  },
  'null hides arguments': () => {
    expect(task(sent, event('received', 2, { name: 't', args: null, kwargs: null }))).toMatchObject({
      args: '(1,)',
      kwargs: '{}',
    });
  },
  'custom state outlives revocation': () => {
    expect(task(received, started, event('progress', 3.5), event('revoked', 4, { terminated: true })).state).toBe(
      'REVOKED',
    );
  },
  'cancelled for ever': () => {
    const cancelled = task(received, started, event('cancelled', 4));
    expect(cancelled).toMatchObject({ state: 'RETRY', cancelledAt: 4, attempts: [{ state: 'CANCELLED' }] });
    const delivered = event('received', 5, { retries: 0, name: 't', hostname: 'w2@h' });
    expect(task(received, started, event('cancelled', 4), delivered)).toMatchObject({
      state: 'RECEIVED',
      worker: 'w2@h',
    });
  },
  'redelivery stays started': () => {
    const delivered = event('received', 5, { retries: 0, name: 't', hostname: 'w2@h' });
    expect(task(received, started, delivered)).toMatchObject({
      state: 'RECEIVED',
      worker: 'w2@h',
      attempts: [{}, { redelivered: true }],
    });
  },
  'times shifted by utcoffset': () => {
    const probes = lines<Record<string, unknown>>('probes/timezone-latest.jsonl');
    const shifted = probes.filter((probe) => probe['celery_shift_s'] !== 0 && probe['type'] === 'task-started');
    expect(shifted.length).toBeGreaterThan(2);
    for (const probe of shifted) {
      const startedAt =
        task({ ...event('started', 3), timestamp: Number(probe['timestamp']), utcoffset: Number(probe['utcoffset']) })
          .startedAt ?? 0;
      expect(Math.abs(startedAt - Number(probe['real_now_utc']))).toBeLessThan(1);
    }
  },
  'ghost worker': () => {
    expect(worker({ type: 'task-external', hostname: 'gen123@h', timestamp: 1, pid: 123 })).toBeNull();
  },
  'resurrected worker': () => {
    const gone = worker(online, { ...online, type: 'worker-offline', timestamp: 110 }, { ...event('succeeded', 115) });
    expect(gone).toMatchObject({ state: 'offline', offlineAt: 110, lastSeenAt: 115 });
    expect(gone && livenessOf(gone, 115)).toBe('offline');
  },
  'two missed heartbeats are death': () => {
    const alive = worker(online, { ...beat, timestamp: 102 });
    expect(alive && [111, 113].map((now) => livenessOf(alive, now))).toEqual(['online', 'lost']);
  },
  'heartbeat on request changes the interval': () => {
    expect(worker(online, { ...beat, timestamp: 101, freq: 5, active: null } as CeleryEvent)).toMatchObject({
      freq: 2,
      active: 0,
    });
  },
  'gossip breaks the state': () => {
    const known = worker(online);
    expect(foldWorker(known, { type: 'worker-elect', hostname: 'w1@h', timestamp: 200, pid: 1 })).toBe(known);
  },
};

test.each(Object.entries(proofs))('%s', (_name, proof) => {
  proof();
});

test('docs/celery-state.md has a row for each of these, and no other', () => {
  const page = readFileSync(new URL('../../../docs/celery-state.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| \*\*(.+?)\*\*/gm)].map((match) => match[1]);
  expect(rows).toEqual(Object.keys(proofs));
});
