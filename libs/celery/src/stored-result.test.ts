import { expect, test } from 'vitest';
import { decodeStoredResult } from './stored-result.ts';

const decode = (text: string) => decodeStoredResult(Buffer.from(text));

test('a success is the repr of its result, exact where JSON is', () => {
  const stored = decode(
    '{"status": "SUCCESS", "result": {"a": [1.0, 2, 12345678901234567890, true, null, "it\'s"], "b": {"result": NaN}}, ' +
      '"traceback": null, "children": [], "date_done": "2026-11-21T08:00:00.250001", "task_id": "u1"}',
  );
  expect(stored).toMatchObject({
    state: 'SUCCESS',
    result: `{'a': [1.0, 2, 12345678901234567890, True, None, 'it\\'s'], 'b': {'result': nan}}`,
    doneAt: Date.UTC(2026, 10, 21, 8) / 1000 + 0.250001,
    exception: null,
    meta: null,
  });
});

test('a result is told in full, however long', () => {
  const long = 'x'.repeat(300_000);
  expect(decode(JSON.stringify({ status: 'SUCCESS', result: long })).result).toBe(`'${long}'`);
});

test.each([
  ['{"exc_type": "ValueError", "exc_message": ["boom", 2], "exc_module": "builtins"}', "ValueError('boom', 2)"],
  ['{"exc_type": "Gone", "exc_message": "old style", "exc_module": "app"}', "Gone('old style')"],
  ['{"exc_type": "Gone"}', 'Gone()'],
  ['"text"', "'text'"],
])('a failure reads as the event would: %s', (result, exception) => {
  const stored = decode(`{"status": "FAILURE", "result": ${result}, "traceback": "Traceback…"}`);
  expect(stored).toMatchObject({ state: 'FAILURE', exception, traceback: 'Traceback…', result: null });
});

test.each([
  ['{"current": 5, "total": 10}', '{"current":5,"total":10}'],
  ['[1, 2]', '{"meta":[1,2]}'],
  ['null', null],
])('a state on the way brings its meta: %s', (result, meta) => {
  expect(decode(`{"status": "PROGRESS", "result": ${result}, "date_done": null}`)).toMatchObject({
    state: 'PROGRESS',
    meta,
    doneAt: null,
    result: null,
  });
});

test('an extended result tells name, arguments and worker', () => {
  const stored = decode(
    '{"status": "SUCCESS", "result": 3, "name": "app.add", "args": [1, 2], "kwargs": {"x": "y"}, "worker": "w@h", ' +
      '"retries": 1, "parent_id": "p", "queue": "celery", "date_done": "2026-11-21T09:00:00+01:00"}',
  );
  expect(stored).toMatchObject({ name: 'app.add', args: '(1, 2)', kwargs: "{'x': 'y'}", worker: 'w@h', retries: 1 });
  expect(stored).toMatchObject({ parentId: 'p', doneAt: Date.UTC(2026, 10, 21, 8) / 1000 });
  expect(decode('{"status": "SUCCESS", "args": [[1, 2]]}').args).toBe('([1, 2],)');
});

test.each([
  [Buffer.from([0x80, 5, 0x7d]), 'CELERY_PICKLE_REFUSED'],
  [Buffer.from('{"result": 1}'), 'CELERY_RESULT_INVALID'],
  [Buffer.from('[1]'), 'CELERY_RESULT_INVALID'],
  [Buffer.from('status: SUCCESS'), 'CELERY_JSON_INVALID'],
  [Buffer.from([0xff, 0xfe]), 'CELERY_TEXT_INVALID'],
])('what is no readable result is refused by name: %s', (payload, code) => {
  expect(() => decodeStoredResult(payload)).toThrow(expect.objectContaining({ code }));
});
