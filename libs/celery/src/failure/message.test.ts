import { expect, test } from 'vitest';
import { messageOf, normalisedMessage } from './message.ts';

test.each([
  ["could not look up 'mid': déjà vu", "could not look up '…': déjà vu"],
  [
    'Error 111 connecting to redis-3.internal:6379. Connection refused.',
    'Error # connecting to redis-#.internal:#. Connection refused.',
  ],
  [
    'order 0b1c2d3e-1111-4222-8333-444455556666 of <User object at 0x7f3a2b> is gone',
    'order # of <User object at #> is gone',
  ],
  ['GET https://api.example.com/v1/users/42?x=1 said 503', 'GET … said #'],
  ['no mailbox ann.lee+1@mail.example.org', 'no mailbox …'],
  ["can't read what isn't there", "can't read what isn't there"],
  ["429, {'limit': 10, 'who': 'ünïcode'}", "#, {'…': #, '…': '…'}"],
  ['took 12.5s at 2026-11-21 10:00:01, 1,024 rows', 'took #s at # #, # rows'],
  ['session a1b2c3d4e5 of sha256 ended', 'session # of sha# ended'],
  ["unexpected b'\\x00' and \"it's\" and `x`", "unexpected '…' and '…' and '…'"],
  ["cut in a 'quotat", "cut in a '…'"],
  ['two\n  lines', 'two lines'],
])('%j is told as %j', (message, told) => expect(normalisedMessage(message)).toBe(told));

test('a message is cut, and one without end takes no long time', () => {
  expect(normalisedMessage('word '.repeat(100))).toHaveLength(201);
  const began = performance.now();
  for (const odd of ["'", '"\\', 'a@', 'a.', '1:', 'x://', '`', '0x', 'a1']) normalisedMessage(odd.repeat(50_000));
  expect(performance.now() - began).toBeLessThan(500);
});

test.each([
  ["ValueError('no stock')", 'ValueError', 'no stock'],
  ['ValueError("can\'t")', 'ValueError', "can't"],
  ["ValueError('it\\'s')", 'ValueError', "it's"],
  ['shop.errors.QuotaExceeded: too many', 'QuotaExceeded', 'too many'],
  ["QuotaExceeded(429, {'limit': 10})", 'QuotaExceeded', "429, {'limit': 10}"],
  ["<Fault 1: 'no such method'>", 'Fault', "<Fault 1: 'no such method'>"],
  ["KeyError('customer')", 'KeyError', "'customer'"],
  ['TimeLimitExceeded(1,)', 'TimeLimitExceeded', '1'],
  ["Cut('in the midd", 'Cut', 'in the midd'],
  ['MemoryError()', 'MemoryError', ''],
  ['something else', 'ValueError', 'something else'],
  ['anything', null, 'anything'],
])('%j of %s says %j', (exception, type, says) => expect(messageOf(exception, type)).toBe(says));
