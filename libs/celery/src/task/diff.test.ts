import { expect, test } from 'vitest';
import { diffOf } from './diff.ts';
import { taskRequest, type TaskRequestInput } from './request.ts';

const request = (change: Partial<TaskRequestInput> = {}) =>
  taskRequest.parse({ name: 'shop.pay', queue: 'celery', args: '[1, {"a": [true]}]', kwargs: '{"x": "y"}', ...change });

const changes = (change: Partial<TaskRequestInput>) =>
  diffOf(request(), request(change)).changes.map(({ path, before, after }) => [path.join('/'), before, after]);

test('what was not changed is no difference, however it is written', () => {
  expect(diffOf(request(), request({ args: '[1,{"a":[true]}]\n' }))).toEqual({ changes: [], omitted: 0 });
});

test('each change is told where it is, as deep as it goes', () => {
  expect(changes({ args: '[1.0, {"a": [true, null], "b": 2}, "new"]' })).toEqual([
    ['args/0', '1', '1.0'],
    ['args/1/a/1', null, 'null'],
    ['args/1/b', null, '2'],
    ['args/2', null, '"new"'],
  ]);
  expect(changes({ kwargs: '{}', queue: null, exchange: 'e', routingKey: 'k', priority: 3 })).toEqual([
    ['kwargs/x', '"y"', null],
    ['queue', '"celery"', 'null'],
    ['exchange', 'null', '"e"'],
    ['routingKey', 'null', '"k"'],
    ['priority', 'null', '3'],
  ]);
  expect(changes({ args: '[[], {"a": [true]}]' })).toEqual([['args/0', '1', '[]']]);
});

test('a list without end is told in part', () => {
  const long = request({ args: JSON.stringify(Array.from({ length: 1500 }, (_, index) => index)) });
  const { changes, omitted } = diffOf(request({ args: '[]' }), long);
  expect([changes.length, omitted]).toEqual([1000, 500]);
});
