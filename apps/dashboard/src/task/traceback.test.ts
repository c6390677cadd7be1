import { expect, test } from 'vitest';
import { parseTraceback } from './traceback.ts';

const TEXT = `Traceback (most recent call last):
  File "/usr/lib/python3/dist-packages/celery/app/trace.py", line 451, in trace_task
    R = retval = fun(*args, **kwargs)
  File "/srv/shop/tasks.py", line 12, in charge
    raise ValueError('no stock')
ValueError: no stock

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/shop/tasks.py", line 20, in again
    charge()
    ^^^^^^^^
KeyError: 'x'
`;

test('calls and the texts between them come in order', () => {
  const parts = parseTraceback(TEXT);
  expect(parts.map((part) => part.kind)).toEqual(['text', 'frames', 'text', 'frames', 'text']);
  expect(parts[1]).toMatchObject({
    frames: [
      { library: true, line: 451, name: 'trace_task' },
      { library: false, file: '/srv/shop/tasks.py', line: 12, name: 'charge', code: ["raise ValueError('no stock')"] },
    ],
  });
  expect(parts[3]).toMatchObject({ frames: [{ code: ['charge()', '^^^^^^^^'] }] });
});

test('any other text is kept as it is', () => {
  expect(parseTraceback('just a line')).toEqual([{ kind: 'text', text: 'just a line' }]);
  expect(parseTraceback('')).toEqual([]);
});
