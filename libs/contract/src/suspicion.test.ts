import { maskingPolicy } from './cluster.ts';
import { expect, test } from 'vitest';
import { createMask } from './mask.ts';

const suspects = (text: string, policy = {}): boolean => {
  const bytes = Buffer.from(`pass${text}pass`);
  return createMask(maskingPolicy.parse(policy)).suspects(bytes, 4, bytes.length - 4);
};

test.each([
  ...['password', 'SECRET', 'api_Key', 'toKEN', 'Authorization', 'dsn', 'credentials', 'http://x', 'eyJ0'],
  ...['4111111111111111', '4111 1111 1111 1111', '4-1-1-1-1-1-1-1-1-1-1-1-1'],
])('suspects %s', (text) => {
  expect(suspects(`('x', ${text})`)).toBe(true);
});

test.each(['', `(1, 'customer-977')`, `{'priority': 3, 'note': 'from the bench'}`, '123456789012, 3456789', 'ke'])(
  'does not suspect %j, whatever stands around it',
  (text) => {
    expect(suspects(text)).toBe(false);
  },
);

test('words of a policy are looked for, too; where one cannot be, every text is suspected', () => {
  expect(suspects('(iban)', { extraKeys: ['iban'] })).toBe(true);
  expect(suspects('(ibis)', { extraKeys: ['iban'] })).toBe(false);
  for (const word of ['pw', 'é!', 'a_b', 'x1y']) expect(suspects('(1)', { extraKeys: [word] })).toBe(true);
  expect(suspects('password', { enabled: false })).toBe(false);
});
