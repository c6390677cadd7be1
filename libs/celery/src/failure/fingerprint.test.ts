import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { failureOf } from '../fold/exception.ts';
import { parsePythonJson } from '../json.ts';
import { failureTitle, identityOf, lostIdentity } from './fingerprint.ts';

const failure = (exception: string, traceback: string | null) => failureOf({ exception, traceback });
const fingerprint = (exception: string, traceback: string | null, name: string | null = 'shop.charge'): string =>
  identityOf(failure(exception, traceback), name).fingerprint;

const TRACE = `  File "/usr/lib/python3/dist-packages/celery/app/trace.py", line 451, in trace_task
    R = retval = fun(*args, **kwargs)
                 ^^^^^^^^^^^^^^^^^^^^
`;
const traceback = (calls: string, said = 'ValueError: no stock'): string =>
  `Traceback (most recent call last):\n${TRACE}${calls}${said}\n`;
const call = (file: string, line: number, name: string, code = 'x()'): string =>
  `  File "${file}", line ${line}, in ${name}\n    ${code}\n`;

const CHARGE =
  call('/srv/releases/20261121/shop/tasks.py', 12, 'charge') + call('/srv/releases/20261121/shop/bank.py', 7, 'pay');
const BASE = fingerprint("ValueError('no stock')", traceback(CHARGE));

/** What is stored depends on these: a change splits every group that there is. */
test('fingerprints stay what they are', () => {
  expect(BASE).toBe('77ad4437f178daed');
  expect(fingerprint("ValueError('no stock')", null)).toBe('4eb9e9ca10a098ab');
  expect(lostIdentity('worker-lost')).toEqual({ fingerprint: 'e166649d7634f7c0', culprit: '' });
});

test.each([
  ['other lines', CHARGE.replaceAll(/line \d+/g, 'line 99')],
  ['other carets', CHARGE.replaceAll('    x()\n', '    x()\n    ^^^\n')],
  ['another release', CHARGE.replaceAll('20261121', '20261122')],
  ['another folder', CHARGE.replaceAll('/srv/releases/20261121', '/home/ann/src')],
  ['Windows', CHARGE.replaceAll('/srv/releases/20261121/shop/', 'C:\\app\\shop\\')],
  [
    'a library in between',
    CHARGE.replace(
      '  File "/srv/releases/20261121/shop/bank',
      `${call('/opt/venv/lib/python3.12/site-packages/requests/api.py', 3, 'get')}$&`,
    ),
  ],
  [
    'the standard library in between',
    CHARGE.replace(
      '  File "/srv/releases/20261121/shop/bank',
      `${call('/usr/lib/python3.11/json/decoder.py', 3, 'decode')}$&`,
    ),
  ],
  ['recursion', CHARGE.repeat(40)],
  ['a comprehension, which is a call up to Python 3.11', CHARGE + call('/srv/x/shop/bank.py', 8, '<listcomp>')],
])('%s leave a failure in its group', (_, calls) => {
  expect(fingerprint("ValueError('other 17')", traceback(calls, 'ValueError: other 17'))).toBe(BASE);
  expect(fingerprint("ValueError('no stock')", traceback(calls), null)).toBe(BASE);
});

test.each([
  ['another class', "KeyError('x')", CHARGE, "KeyError: 'x'"],
  ['another function', "ValueError('no stock')", CHARGE.replace('in pay', 'in refund'), 'ValueError: no stock'],
  ['another module', "ValueError('no stock')", CHARGE.replace('bank.py', 'cash.py'), 'ValueError: no stock'],
])('%s is another group', (_, exception, calls, said) => {
  expect(fingerprint(exception, traceback(calls, said))).not.toBe(BASE);
});

test('of a chain the exception that was raised last decides', () => {
  const cause = `Traceback (most recent call last):\n${call('/srv/shop/other.py', 1, 'look')}KeyError: 'x'\n`;
  for (const between of [
    'The above exception was the direct cause of the following exception:',
    'During handling of the above exception, another exception occurred:',
  ]) {
    expect(fingerprint("ValueError('no stock')", `${cause}\n${between}\n\n${traceback(CHARGE)}`)).toBe(BASE);
  }
});

test('a traceback within a message counts for nothing', () => {
  const inner = `Traceback (most recent call last):\n${call('/srv/other/worker.py', 1, 'run')}OSError: gone\n`;
  expect(fingerprint("ValueError('x')", traceback(CHARGE, `ValueError: child said\n${inner}`))).toBe(BASE);
});

test('a retry is in the group of the exception that it is asked for', () => {
  const asked = `\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n${TRACE}${call(
    '/srv/shop/tasks.py',
    14,
    'charge',
    'raise self.retry(exc=exc)',
  )}${call('/usr/lib/python3/dist-packages/celery/app/task.py', 738, 'retry')}celery.exceptions.Retry: Retry in 1s: ValueError('no stock')\n`;
  expect(fingerprint("ValueError('no stock')", traceback(CHARGE) + asked)).toBe(BASE);
});

test('a traceback whose beginning or middle was cut stays in its group while eight of its calls are left', () => {
  const calls = Array.from({ length: 12 }, (_, at) => call(`/srv/shop/m${at}.py`, at, `f${at}`));
  const whole = fingerprint("ValueError('x')", traceback(calls.join('')));
  const cut = `Traceback (most recent call last):\n${calls[0]}\n… 900 characters cut by Meadow …\n m1.py", line 1\n${calls.slice(3).join('')}ValueError: x\n`;
  expect(fingerprint("ValueError('x')", cut)).toBe(whole);
  expect(fingerprint("ValueError('x')", `t.py", line 1\n${calls.slice(4).join('')}ValueError: x`)).toBe(whole);
});

test('of an exception group its own calls count, and which classes are in it', () => {
  const group = (members: readonly string[]): string =>
    `  + Exception Group Traceback (most recent call last):\n${(TRACE + CHARGE).replaceAll(/^/gm, '  | ').replace(/ {2}\| $/, '')}  | ExceptionGroup: several (${members.length} sub-exceptions)\n${members
      .map(
        (type, at) =>
          `  +-${at === 0 ? '+' : '-'}---------------- ${at + 1} ----------------\n    | Traceback (most recent call last):\n    |   File "/srv/shop/part.py", line ${at}, in part${at}\n    |     work()\n    | ${type}: x ${at}\n`,
      )
      .join('')}    +------------------------------------\n`;
  const of = (...members: string[]): string => fingerprint("ExceptionGroup('several', [])", group(members));
  expect(of('ValueError', 'KeyError')).toBe(of('KeyError', 'ValueError', 'ValueError'));
  expect(of('ValueError')).not.toBe(of('KeyError'));
  expect(identityOf(failure("ExceptionGroup('several', [])", group(['KeyError'])), null).culprit).toBe('shop.bank.pay');
});

test('without a call of the user’s own, the task tells failures apart; without any, the message does too', () => {
  const hard = `Traceback (most recent call last):\n${call('/venv/lib/python3.11/site-packages/billiard/pool.py', 684, 'on_hard_timeout')}billiard.exceptions.TimeLimitExceeded: TimeLimitExceeded(1,)\n`;
  const other = hard
    .replace('684', '701')
    .replaceAll('(1,)', '(30,)')
    .replace('/venv/lib/python3.11/site-packages', '/usr/lib/python3/dist-packages');
  const limit = (text: string, name: string): string => fingerprint('ExceptionWithTraceback()', text, name);
  expect(limit(hard, 'a')).toBe(limit(other, 'a'));
  expect(limit(hard, 'a')).not.toBe(limit(hard, 'b'));
  expect(identityOf(failure('ExceptionWithTraceback()', hard), 'a').culprit).toBe('a');
  expect(fingerprint("OSError('disk 1 full')", null)).toBe(fingerprint("OSError('disk 22 full')", null));
  expect(fingerprint("OSError('disk 1 full')", null)).toBe(fingerprint('OSError: disk 3 full', null));
  expect(fingerprint("OSError('disk 1 full')", null)).not.toBe(fingerprint("OSError('disk 1 gone')", null));
  expect(fingerprint("OSError('disk 1 full')", 'no traceback')).toBe(fingerprint("OSError('disk 1 full')", null));
});

interface Stored {
  readonly status: string;
  readonly result: { readonly exc_type: string; readonly exc_message: unknown };
  readonly traceback: string | null;
}

/** Results that a real worker stored, by version of Celery: class and fingerprint by the function that failed. */
function recorded(version: string): Map<string, Set<string>> {
  const groups = new Map<string, Set<string>>();
  const text = readFileSync(new URL(`../../../../vectors/${version}/redis-results.jsonl`, import.meta.url), 'utf8');
  const look = (value: unknown): void => {
    if (typeof value === 'string' && value.startsWith('{"status"')) look(parsePythonJson(value));
    else if (Array.isArray(value)) value.forEach(look);
    else if (typeof value === 'object' && value !== null) {
      const { status, result, traceback: told } = value as Stored;
      if ((status === 'FAILURE' || status === 'RETRY') && typeof told === 'string') {
        const { fingerprint: of, culprit } = identityOf(failure(`${result.exc_type}('x')`, told), 'app.task');
        const key = `${result.exc_type} in ${culprit}`;
        groups.set(key, (groups.get(key) ?? new Set()).add(of));
      } else Object.values(value).forEach(look);
    }
  };
  for (const line of text.split('\n')) if (line !== '') look(parsePythonJson(line));
  return groups;
}

test('what real workers of two versions of Celery said falls into the same groups', () => {
  const [old, latest] = [recorded('celery-5.2'), recorded('celery-latest')];
  // version 5.6 stores the name of its own wrapper for an exception that cannot be pickled
  const same = (groups: ReadonlyMap<string, ReadonlySet<string>>) =>
    [...groups].flatMap(([key, of]) => (key.startsWith('Unpickl') ? [] : [[key, ...of].join(' ')])).sort();
  expect(same(latest)).toEqual(same(old));
  expect(same(latest).map((group) => group.replace(/ [0-9a-f]{16}$/, ''))).toEqual([
    'ChordError in app.task',
    'ConnectionError in app.prototasks.flaky',
    'KeyError in app.prototasks.fail_expected',
    'QuotaExceeded in app.prototasks.fail_custom',
    'RuntimeError in app.prototasks.always_retry',
    'ValueError in app.prototasks.fail',
  ]);
});

test('a title is the class with the message, without what differs each time', () => {
  expect(failureTitle('ValueError', "ValueError('order 17 of \\'ann\\'')")).toBe("ValueError: order # of '…'");
  expect(failureTitle('MemoryError', 'MemoryError()')).toBe('MemoryError');
  expect(failureTitle('', 'odd')).toBe('odd');
});
