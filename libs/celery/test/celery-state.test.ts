import { describe, expect, test } from 'vitest';
import { foldAll } from '../src/index.ts';
import type { TaskEvent } from '../src/event.ts';
import { asCelery } from './celery-state.ts';
import type { CeleryTask } from './celery-state.ts';
import { isTaskEvent } from '../src/event.ts';
import { lines, recordedTasks, wireEvent } from './recorded.ts';

function taskEvents(raw: Record<string, unknown>[]): TaskEvent[] {
  return raw.map(wireEvent).filter(isTaskEvent);
}

/** Rows of docs/celery-state.md that explain a field on which Celery's final task and ours differ. */
type Difference =
  | 'rejected stays started'
  | 'late retry rules'
  | 'late event overwrites attempt'
  | 'late event overwrites timestamp'
  | 'retry overwrites publisher'
  | 'own parent'
  | 'failure outlives success'
  | 'exception with traceback'
  | 'null hides arguments';

interface Case {
  readonly celery: CeleryTask;
  readonly ours: CeleryTask;
  /** In order of arrival. */
  readonly events: readonly TaskEvent[];
}

/** Why a field differs. Each reason demands proof in the events, so that no bug of ours can hide behind one. */
function reason(field: string, { celery, ours, events }: Case): Difference | undefined {
  const seen = (type: string) => events.filter((event) => event.type === `task-${type}`);
  const times = (type: string) => seen(type).map((event) => event.timestamp);
  const isLate = events.some((event, i) => events.slice(0, i).some((earlier) => earlier.timestamp > event.timestamp));
  const latest = Math.max(...events.map((event) => event.timestamp));
  switch (field) {
    case 'state':
      if (ours['state'] === 'REJECTED' && seen('rejected').length > 0) return 'rejected stays started';
      return isLate && seen('retried').length > 0 && ours['timestamp'] === latest ? 'late retry rules' : undefined;
    case 'timestamp':
      return isLate && ours['timestamp'] === latest ? 'late event overwrites timestamp' : undefined;
    case 'sent':
      return seen('sent').length > 1 && ours['sent'] === Math.min(...times('sent'))
        ? 'retry overwrites publisher'
        : undefined;
    case 'client':
      return ours['client'] === seen('sent').toSorted((a, b) => a.timestamp - b.timestamp)[0]?.hostname
        ? 'retry overwrites publisher'
        : undefined;
    case 'received':
    case 'started':
      return isLate && ours[field] === Math.max(...times(field)) ? 'late event overwrites attempt' : undefined;
    case 'eta':
    case 'retries': {
      const retries = Math.max(...seen('received').map((event) => event.retries ?? 0));
      const newest = seen('received').find((event) => event.retries === retries);
      return isLate && ours[field] === newest?.[field] ? 'late event overwrites attempt' : undefined;
    }
    case 'parent_id':
      return celery['parent_id'] === celery['uuid'] && ours['parent_id'] === null ? 'own parent' : undefined;
    case 'failed':
    case 'exception':
    case 'traceback':
      if (celery['exception'] === 'ExceptionWithTraceback()' && field === 'exception')
        return String(celery['traceback']).includes(String(ours['exception'])) ? 'exception with traceback' : undefined;
      return ours['state'] === 'SUCCESS' && ours[field] === null ? 'failure outlives success' : undefined;
    case 'args':
    case 'kwargs':
      return celery[field] === null && seen('sent')[0]?.[field] === ours[field] ? 'null hides arguments' : undefined;
    default:
      return undefined;
  }
}

/** Fields that differ, each with its reason, `unexplained` where there is none. */
function compare(one: Case): Record<string, string> {
  const fields = Object.keys(one.ours).filter((field) => one.ours[field] !== (one.celery[field] ?? null));
  return Object.fromEntries(fields.map((field) => [field, reason(field, one) ?? 'unexplained']));
}

describe('a recorded run ends as in Celery, but for named differences', () => {
  const retried = { sent: 'retry overwrites publisher', client: 'retry overwrites publisher', parent_id: 'own parent' };
  const outlived = { exception: 'failure outlives success', traceback: 'failure outlives success' };
  const expected = [
    ['add', { args: 'null hides arguments', kwargs: 'null hides arguments' }],
    ['add', retried],
    ['always_retry', retried],
    ['flaky', { ...retried, ...outlived }],
    ['hard_limit', { exception: 'exception with traceback' }],
    ['reject_late', { state: 'rejected stays started' }],
    ['reject_requeue_once', { state: 'rejected stays started' }],
    ['suicide', { exception: 'exception with traceback' }],
  ] as const;

  test.each([
    ['celery-5.2/redis-events.jsonl', 'celery-5.2/golden-state-redis.jsonl', 111, []],
    [
      'celery-5.2/amqp-events.jsonl',
      'celery-5.2/golden-state-amqp.jsonl',
      110,
      [['add', { timestamp: 'late event overwrites timestamp' }]],
    ],
    ['celery-latest/redis-events.jsonl', 'celery-latest/golden-state-redis.jsonl', 114, []],
  ] as const)('%s', (eventsFile, stateFile, count, more) => {
    const tasks = recordedTasks(eventsFile);
    const golden = lines<{ task?: CeleryTask }>(stateFile).flatMap(({ task }) => (task === undefined ? [] : [task]));
    expect(golden.length).toBe(count);
    expect(tasks.size).toBe(count);
    const differing = golden.flatMap((celery) => {
      const events = tasks.get(String(celery['uuid'])) ?? [];
      const found = compare({ celery, ours: asCelery(foldAll(String(celery['uuid']), events)), events });
      return Object.keys(found).length > 0 ? [[String(celery['name']).replace('prototasks.', ''), found] as const] : [];
    });
    const byName = (list: readonly (readonly [string, object])[]) =>
      list.map((entry) => JSON.stringify(entry, sortKeys)).sort();
    expect(byName(differing)).toEqual(byName([...expected, ...more]));
  });
});

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('every order of synthetic events ends the same, and as in Celery, but for named differences', () => {
  interface Vector {
    case: string;
    events: Record<string, unknown>[];
    final: CeleryTask;
  }
  const vectors = lines<Vector>('celery-latest/state-merge-vectors.jsonl');

  test('one case, one task', () => {
    expect(vectors.length).toBe(222);
    const outcomes = Map.groupBy(vectors, (vector) => vector.case);
    for (const [name, orders] of outcomes) {
      const views = new Set(orders.map(({ events }) => JSON.stringify(asCelery(foldAll('T1', taskEvents(events))))));
      expect([name, views.size]).toEqual([name, 1]);
    }
  });

  test('exactly the known vectors differ, each for its known reasons', async () => {
    const found: Record<string, Record<string, number[]>> = {};
    vectors.forEach(({ case: name, events: raw, final }, index) => {
      const events = taskEvents(raw);
      const differences = compare({ celery: final, ours: asCelery(foldAll('T1', events)), events });
      for (const [field, difference] of Object.entries(differences))
        ((found[`${name}: ${difference}`] ??= {})[field] ??= []).push(index);
    });
    expect(Object.keys(found).filter((key) => key.includes('unexplained'))).toEqual([]);
    const compact = Object.entries(found).map(
      ([key, fields]) =>
        `${key}\n${Object.entries(fields)
          .map(([field, at]) => `  ${field} ${at.join(' ')}`)
          .join('\n')}\n`,
    );
    await expect(compact.join('')).toMatchFileSnapshot('state-differences.txt');
  });
});
