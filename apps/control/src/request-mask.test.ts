import { taskRequest, type TaskRequestInput } from '@meadow/celery';
import { createMask, maskingPolicy } from '@meadow/contract';
import { expect, test } from 'vitest';
import { maskedDiff, maskRequest } from './request-mask.ts';

const mask = createMask(maskingPolicy.parse({}));
const request = (more: Partial<TaskRequestInput>) => taskRequest.parse({ name: 'shop.pay', queue: 'celery', ...more });

test('a field in which nothing is hidden is exactly as it was', () => {
  const args = '[1.0,-0.0,1e400,NaN,12345678901234567890123,"it\\u2028s",{"a":[null,true]}]';
  const plain = request({ args, kwargs: '{"__proto__":{"x":1.50},"2":1,"1":2}', headers: { tenant: 'a' } });
  expect(maskRequest(plain, mask)).toEqual({ request: plain, masked: [] });
});

test.each([
  ['[1.0,{"password":"hunter2","n":1.0}]', '[1.0,{"password":"***","n":1.0}]'],
  ['[["password","hunter2"],1e400]', '[["password","***"],1e400]'],
  ['["postgres://u:hunter2@h/db",2.0]', '["postgres://u:***@h/db",2.0]'],
  ['[4111111111111111,1.0]', '["***",1.0]'],
  ['[4111111111111111111111,"4111 1111 1111 1111"]', '[4111111111111111111111,"***"]'],
  ['[{"api_key":{"a":["hunter2"]}},{"token":7}]', '[{"api_key":"***"},{"token":"***"}]'],
  ['[{"api_key":{},"token":null,"secret":""}]', '[{"api_key":{},"token":null,"secret":""}]'],
  ['["{\\"password\\": \\"hunter2\\"}"]', '["{\\"password\\": \\"***\\"}"]'],
])('of %s is shown %s', (args, shown) => {
  const masked = maskRequest(request({ args }), mask);
  expect(masked.request.args).toBe(shown);
  expect(masked.masked).toEqual(args === shown ? [] : ['args']);
});

test('secrets in keyword arguments, headers, stamps and the shown name are hidden, each field named', () => {
  const { request: shown, masked } = maskRequest(
    request({
      ...{ kwargs: '{"password":"hunter2"}', headers: { 'x-api-key': 'hunter2', n: 1 } },
      ...{ stamps: { auth: ['hunter2'] }, shadow: 'to amqp://u:hunter2@h' },
    }),
    mask,
  );
  expect(masked).toEqual(['kwargs', 'headers', 'stamps', 'shadow']);
  expect(JSON.stringify(shown)).not.toContain('hunter2');
  expect(shown.headers).toEqual({ 'x-api-key': '***', n: 1 });
});

test('of a secret that was changed only that is told', () => {
  const before = request({ kwargs: '{"password":"hunter2","n":1.0}' });
  const after = request({ kwargs: '{"password":"hunter3","n":1,"token":"t"}', queue: 'other' });
  expect(maskedDiff(before, after, mask)).toEqual([
    { path: ['kwargs', 'password'], before: '"***"', after: '"***"' },
    { path: ['kwargs', 'n'], before: '1.0', after: '1' },
    { path: ['kwargs', 'token'], before: null, after: '"***"' },
    { path: ['queue'], before: '"celery"', after: '"other"' },
  ]);
});
