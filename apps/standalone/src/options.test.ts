import { expect, test } from 'vitest';
import { readBrokers, withoutSecrets } from './brokers.ts';
import { readOptions, UsageError } from './options.ts';

const read = (...args: string[]) => readOptions(args, {}, '/srv');

test('a broker without a name is named by its host and database', () => {
  const brokers = [
    'redis://localhost:6379/0',
    'redis://:secret@Cache.example.com:6380/2',
    'amqp://user:p%40ss@rabbit:5672/etl?heartbeat=10',
    'redis://localhost:6380/0',
    'sentinel://a:26379;sentinel://b:26379/3',
    '://',
  ];
  const names = readBrokers(brokers).map(({ name }) => name);
  expect(names).toEqual(['localhost', 'cache-example-com-2', 'rabbit-etl', 'localhost-2', 'a', 'cluster']);
});

test('name=url gives the name; an = further on belongs to the URL', () => {
  const [named, plain] = readBrokers(['shop=redis://h/1?a=b', 'redis://h/1?a=b']);
  expect(named).toEqual({ name: 'shop', broker: 'redis://h/1?a=b' });
  expect(plain).toEqual({ name: 'h-1', broker: 'redis://h/1?a=b' });
});

test('a broker is shown without user, password and query', () => {
  const shown = withoutSecrets('redis://:secret@h:1/0;redis://u:p@h2/0?password=x');
  expect(shown).toBe('redis://h:1/0;redis://h2/0');
});

test('without arguments it keeps to loopback and watches what CELERY_BROKER_URL names', () => {
  expect(read()).toMatchObject({ host: '127.0.0.1', port: 5555, data: '/srv/data', natsPort: null, clusters: [] });
  expect(readOptions([], { CELERY_BROKER_URL: 'redis://q/0' }, '/srv')?.clusters).toEqual([
    { name: 'q', broker: 'redis://q/0' },
  ]);
});

test('what does not fit is told with what would', () => {
  expect(() => read('--port', '99999')).toThrow(/--port 99999: give a port/);
  expect(() => read('redis://localhost/0')).toThrow(/given with --broker redis:\/\/localhost\/0/);
  expect(() => read('--log-level', 'loud')).toThrow(/choose one of debug, info, warn, error/);
  expect(() => read('--nats', 'localhost')).toThrow(/nats:\/\/host:4222/);
  expect(() => read('--bork')).toThrow(UsageError);
  expect(() => read('--bork')).toThrow(/--bork/);
});
