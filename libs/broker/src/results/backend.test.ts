import { expect, test } from 'vitest';
import { parseResultBackend } from './backend.ts';

const parse = (resultBackend: string | undefined, more = {}) =>
  parseResultBackend({ name: 'c', ...(resultBackend === undefined ? {} : { resultBackend }), ...more });

test('a cluster without a result backend has none', () => {
  expect(parse(undefined)).toBeNull();
});

test.each([
  [undefined, 'celery-task-meta-'],
  ['res', 'res_celery-task-meta-'],
  ['res:', 'res:celery-task-meta-'],
])('keys begin as Celery makes them with global_keyprefix %s', (prefix, keyPrefix) => {
  const options = prefix === undefined ? {} : { resultTransportOptions: { global_keyprefix: prefix } };
  expect(parse('redis://:secret@r:6379/3', options)).toMatchObject({ kind: 'redis', keyPrefix, targets: [{ db: 3 }] });
});

test('behind sentinels the name of the master is needed, and said so', () => {
  const resultTransportOptions = { master_name: 'm' };
  expect(parse('sentinel://s1:26379;sentinel://s2/1', { resultTransportOptions })).toMatchObject({ kind: 'redis' });
  expect(() => parse('sentinel://s1:26379')).toThrow(expect.objectContaining({ code: 'BROKER_OPTION_INVALID' }));
});

test('the certificate of the broker is for a backend that speaks TLS, and for no other', () => {
  const tls = { verify: false };
  expect(parse('rediss://r/0', { tls })).toMatchObject({ targets: [{ tls: { verify: false } }] });
  expect(parse('redis://r/0', { tls })).toMatchObject({ targets: [{ tls: null }] });
});

test.each([
  ['db+postgresql://celery:secret@db/celery', 'pickled'],
  ['rpc://', 'its caller alone'],
  ['cache+memcached://m:11211/', 'memcached'],
  ['django-db', 'Django'],
  ['mongodb://u:secret@m/x', 'only results in Redis'],
])('%s is told as not readable, with the reason', (url, reason) => {
  const backend = parse(url);
  expect(backend).toMatchObject({ kind: 'unreadable', reason: expect.stringContaining(reason) as string });
  expect(JSON.stringify(backend)).not.toContain('secret');
});
