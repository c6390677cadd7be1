import { taskRequestAt, type TaskRequestInput } from '@meadow/celery/request';
import { describe, expect, test } from 'vitest';
import { EMPTY_FORM, formOf, pathText, readForm, type Original, type Part } from './request-form.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const requestOf = (input: Partial<TaskRequestInput>) =>
  taskRequestAt(NOW).parse({
    name: 'shop.pay',
    queue: 'shop',
    args: '[1.0, "a"]',
    kwargs: '{"user": {"id": 7}}',
    ...input,
  });
const over = (input: Partial<TaskRequestInput> = {}, rest: Partial<Original> = {}): Original => ({
  ...{ request: requestOf(input), masked: [], anew: new Set<Part>() },
  ...rest,
});

describe('a task that is new', () => {
  test('is read from what is typed, with everything else as Celery has it', () => {
    const { request, problems } = readForm(
      { ...EMPTY_FORM, name: ' shop.pay ', queue: 'shop', args: '[1.0]', priority: '3', begins: 'in', beginsIn: '2.5' },
      null,
      NOW,
    );
    expect(problems).toEqual({});
    expect(request).toMatchObject({
      ...{ name: 'shop.pay', args: '[1.0]', kwargs: '{}', queue: 'shop', exchange: null, routingKey: null },
      ...{ priority: 3, countdown: 2.5, eta: null, expires: null, timelimit: { hard: null, soft: null } },
    });
  });

  test.each<[Part, Partial<typeof EMPTY_FORM>, RegExp]>([
    ['name', { name: '' }, /task name is empty/],
    ['args', { args: '{"a": 1}' }, /write an array/],
    ['args', { args: '[1,' }, /no JSON/],
    ['kwargs', { kwargs: '[]' }, /write an object/],
    ['route', { queue: '' }, /queue is empty/],
    ['route', { queue: 'celery@w1.pidbox' }, /machinery/],
    ['priority', { priority: 'high' }, /is a number/],
    ['priority', { priority: '1.5' }, /whole number/],
    ['begins', { begins: 'in' }, /is empty/],
    ['begins', { begins: 'at', beginsAt: '' }, /give a time/],
    ['expires', { expires: 'at', expiresAt: '2020-01-01T00:00:00' }, /has passed/],
    ['limits', { soft: '9', hard: '3' }, /above the hard one/],
    ['headers', { headers: '{"task": "x"}' }, /cannot be sent/],
    ['headers', { headers: '{' }, /no JSON/],
  ])('is not sent where its %s is wrong: %j', (part, typed, says) => {
    const { request, problems } = readForm({ ...EMPTY_FORM, name: 'a', queue: 'b', ...typed }, null, NOW);
    expect(request).toBeNull();
    expect(problems[part]).toMatch(says);
    expect(Object.keys(problems)).toEqual([part]);
  });
});

describe('a task that is repeated', () => {
  test('has no changes as it is, however it is laid out', () => {
    const original = over({ eta: '2026-03-02T08:00:00.123456+01:00', timelimit: { hard: 3 } });
    const { changes, diff, problems } = readForm(formOf(original.request), original, NOW);
    expect({ changes, diff, problems }).toEqual({ changes: {}, diff: { changes: [], omitted: 0 }, problems: {} });
    const spaced = { ...formOf(original.request), args: '[ 1.0,\n "a" ]' };
    expect(readForm(spaced, original, NOW).changes).toEqual({});
  });

  test('tells what differs, and only that is sent', () => {
    const original = over();
    const form = { ...formOf(original.request), args: '[1, "a"]', kwargs: '{"user": {"id": 8}}' };
    const { changes, diff } = readForm(form, original, NOW);
    expect(changes).toEqual({ args: '[1,"a"]', kwargs: '{"user":{"id":8}}' });
    expect(diff.changes.map(({ path, before, after }) => [pathText(path), before, after])).toEqual([
      ['args[0]', '1.0', '1'],
      ['kwargs.user.id', '7', '8'],
    ]);
  });

  test('goes elsewhere with all that says where', () => {
    const form = { ...formOf(over().request), to: 'exchange', exchange: 'events', routingKey: 'shop.#' } as const;
    expect(readForm(form, over(), NOW).changes).toEqual({ queue: null, exchange: 'events', routingKey: 'shop.#' });
  });

  test('keeps what is hidden, unless that is written anew, whole', () => {
    const masked = over({ kwargs: '{"password": "***"}' }, { masked: ['kwargs'] });
    const form = { ...formOf(masked.request), args: '[]' };
    expect(readForm(form, masked, NOW).changes).toEqual({ args: '[]' });
    const broken = { ...masked, request: { ...masked.request, kwargs: '{"password": ***}' } };
    expect(readForm({ ...formOf(broken.request), args: '[]' }, broken, NOW).changes).toEqual({ args: '[]' });

    const anew = { ...masked, anew: new Set<Part>(['kwargs']) };
    expect(readForm(form, anew, NOW)).toMatchObject({
      request: null,
      problems: { kwargs: expect.stringMatching('stands for what is hidden') as unknown },
    });
    expect(
      readForm({ ...form, args: formOf(masked.request).args, kwargs: '{"password": "x"}' }, anew, NOW).changes,
    ).toEqual({
      kwargs: '{"password":"x"}',
    });
    expect(readForm({ ...form, kwargs: '{}' }, anew, NOW).changes).toEqual({ args: '[]', kwargs: '{}' });
  });
});

test('a path reads as code does', () => {
  expect(pathText(['kwargs', 'user', 'id'])).toBe('kwargs.user.id');
  expect(pathText(['args', 0, 'a b'])).toBe('args[0]["a b"]');
});
