import { expect, test } from 'vitest';
import { maskUrl } from './mask-url.ts';

test.each([
  ['redis://h:1/0', 'redis://h:1/0'],
  ['redis://:pw@h:1/0', 'redis://:**@h:1/0'],
  ['amqp://user:p%40w@h/vh', 'amqp://user:**@h/vh'],
  ['amqp://user@h/vh', 'amqp://user@h/vh'],
  ['amqp://user@corp:pw@h/vh', 'amqp://user@corp:**@h/vh'],
  ['sentinel://:one@a;sentinel://:two@b/3', 'sentinel://:**@a;sentinel://:**@b/3'],
  ['redis+socket://:pw@/srv/r.sock', 'redis+socket://:**@/srv/r.sock'],
  ['redis+socket:///srv/r.sock?virtual_host=3&password=pw', 'redis+socket:///srv/r.sock?virtual_host=3&password=**'],
])('%s', (url, masked) => {
  expect(maskUrl(url)).toBe(masked);
});

test.each([
  'redis://:se/cret@h',
  'redis://:sec@ret@h',
  'redis://:se;cret@h',
  'redis://:se:cret@h',
  'redis://:se#cret@h',
  'redis://:se?cret@h',
  'u:secret@h',
  'redis://:s\ncret@h',
  'host/vh;:secret@h',
])('no part of an unescaped password is shown: %s', (url) => {
  expect(maskUrl(url)).not.toMatch(/se|cret/i);
});
