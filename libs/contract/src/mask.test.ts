import { maskingPolicy } from './cluster.ts';
import { expect, test } from 'vitest';
import { createMask } from './mask.ts';

const mask = createMask(maskingPolicy.parse({}));

test.each([
  [`{'password': 'hunter2', 'user': 'ann'}`, `{'password': '***', 'user': 'ann'}`],
  [`{'routing_key': 'reports.daily', 'key': 'k'}`, `{'routing_key': 'reports.daily', 'key': '***'}`],
  [`{"apiKey": "abc", "n": 1}`, `{"apiKey": "***", "n": 1}`],
  [`{'db_dsn': b'postgres'}`, `{'db_dsn': '***'}`],
  [`connect(host='h', passwd='it\\'s', port=1)`, `connect(host='h', passwd='***', port=1)`],
  [`{'auth': {'user': 'a', 'pw': [1, ')']}, 'x': 1}`, `{'auth': ***, 'x': 1}`],
  [`{'access_token': SecretStr('abc'), 'x': 1}`, `{'access_token': ***, 'x': 1}`],
  [`{'credentials': ('a', 'b')}`, `{'credentials': ***}`],
  [`GET /x?token=abc&page=2`, `GET /x?token=***&page=2`],
  [`Authorization: Bearer abc.def`, `Authorization: ***`],
  [`{'pin_secret': 1234}`, `{'pin_secret': ***}`],
  [`{'secret': 'cut off by Celery at its lim`, `{'secret': '***'`],
  [`auth: password='hunter2', n=1`, `auth: ***, n=1`],
  [`token:\n 'password': 'hunter2'}`, `token:\n '***'}`],
  [`redis://:s3cr3t@host:6379/0`, `redis://:***@host:6379/0`],
  [`('amqp://me:p@ss@host/vhost',)`, `('amqp://me:***@host/vhost',)`],
  [`('eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl',)`, `('***',)`],
  [`('4111 1111 1111 1111', 4111111111111111)`, `('***', ***)`],
  [
    String.raw`{"body": "{\"password\": \"hunter2\"}", "n": 1}`,
    String.raw`{"body": "{\"password\": \"***\"}", "n": 1}`,
  ],
  [
    String.raw`"{\"a\": \"{\\\"token\\\": \\\"hun\\\\\\\"ter\\\", \\\"n\\\": 1}\"}"`,
    String.raw`"{\"a\": \"{\\\"token\\\": \\\"***\\\", \\\"n\\\": 1}\"}"`,
  ],
  [String.raw`'{\'password\': "hunter2", \'u\': "it\'s"}'`, String.raw`'{\'password\': "***", \'u\': "it\'s"}'`],
  [String.raw`'{\'key\': \'a\\\\\', \'u\': b\'x\'}'`, String.raw`'{\'key\': \'***\', \'u\': b\'x\'}'`],
  [String.raw`'{\'auth\': {\'pw\': \'x)\'}, \'u\': 1}'`, String.raw`'{\'auth\': ***, \'u\': 1}'`],
  [String.raw`('{"secret": "cut off', 'next')`, `('{"secret": "***"`],
  [String.raw`["{\"secret\": \"cut off", "next"]`, String.raw`["{\"secret\": \"***\"", "next"]`],
  [`[('Authorization', 'Bearer abc.def'), (b'Accept', b'*')]`, `[('Authorization', '***'), (b'Accept', b'*')]`],
  [
    `{'standbyPassword': 'x', 'bypassword': 'y', 'authorisation': 'z'}`,
    `{'standbyPassword': '***', 'bypassword': '***', 'authorisation': '***'}`,
  ],
  [`{'db_pwd': 'x'}`, `{'db_pwd': '***'}`],
  [`https://ghp_0123456789abcdefABCD@github.com/a/b`, `https://***@github.com/a/b`],
])('hides the secret in %s', (text, masked) => {
  expect(mask(text)).toBe(masked);
});

test.each([
  `KeyError: 'customer_id'`,
  `{'author': 'Ann', 'keyboard': 'qwertz', 'max_tokens': 100, 'compass': 'n'}`,
  `{'password': None, 'token': ''}`,
  `(2, 3)`,
  `http://example.com:8080/path`,
  `ssh://git@github.com:22/a@b`,
  `['password', 'name', 'email']`,
  `{'bypass': True, 'bypass_cache': 1, 'authors': 'Ann'}`,
  String.raw`"{\"password\": \"\", \"n\": null}"`,
  `('4111 1111 1111 1112',)`,
  `0.007024589000138803`,
  `{'order': 123456789012345}`,
  `Traceback (most recent call last):\n  File "/app/keys.py", line 3, in get_token\nValueError: no`,
])('leaves %s as it is', (text) => {
  expect(mask(text)).toBe(text);
});

test('a value is masked as JSON and stays JSON', () => {
  const value = { token: ['a'], pin_secret: 1234, big: 2n ** 70n, card: 4111111111111111, deep: [{ note: 'key=abc' }] };
  const text = mask.json({ ...value, secret: null, 'amqp://u:pw@h': 1, text: '{"token": ["x"]}' });
  expect(JSON.parse(text)).toEqual({
    ...{ token: '***', pin_secret: '***', big: '1180591620717411303424', card: '***', deep: [{ note: 'key=***' }] },
    ...{ secret: null, 'amqp://u:***@h': 1, text: '{"token": ***}' },
  });
});

test('a policy can add keys, allow keys, or switch masking off', () => {
  const custom = createMask(maskingPolicy.parse({ extraKeys: ['iban'], allowKeys: ['primary_key'] }));
  expect(custom(`{'iban': 'DE00', 'primary_key': 7, 'other_key': 8}`)).toBe(
    `{'iban': '***', 'primary_key': 7, 'other_key': ***}`,
  );
  const off = createMask(maskingPolicy.parse({ enabled: false }));
  expect(off(`{'password': 'x'}`)).toBe(`{'password': 'x'}`);
});

test('masking is done in time linear in the text, whatever the text', () => {
  for (const hostile of [
    'key='.repeat(50_000),
    `'`.repeat(200_000),
    '://a:'.repeat(40_000),
    '('.repeat(200_000),
    '1 '.repeat(100_000),
    'key:('.repeat(40_000),
    `('key', '`.repeat(30_000),
    `("key",'`.repeat(30_000),
    String.raw`\"key\":\"`.repeat(30_000),
    Array.from({ length: 600 }, (_, depth) => `'key':${'\\'.repeat(depth)}"`).join(''),
  ]) {
    const started = performance.now();
    mask(hostile);
    expect(performance.now() - started).toBeLessThan(2_000);
  }
});
