import { expect, test } from 'vitest';
import { queueSample, queueSampleLine, type QueueSample } from './queue-sample.ts';

const sample: QueueSample = {
  ...{ cluster: 'prod', queue: 'mail "é"', at: 1_795_169_474.5, kind: 'list', source: 'redis' },
  ...{ ready: 7, unacked: 2, consumers: null, bytes: null, oldest_age_seconds: 3.5 },
  ...{ published_per_second: 0, delivered_per_second: null, by_priority: { '0': 4, '9': 3 } },
};

test('a sample is one line and comes back as it was', () => {
  expect(queueSampleLine(sample)).toMatch(/^[^\n]+\n$/);
  expect(queueSample.parse(JSON.parse(queueSampleLine(sample)))).toEqual(sample);
});

test.each([
  ['a depth below zero', { ready: -1 }],
  ['half a message', { unacked: 0.5 }],
  ['no name', { queue: '' }],
  ['a name of a priority', { by_priority: { high: 1 } }],
  ['a figure that nobody knows', { depth: 1 }],
])('%s is no sample', (_, more) => {
  expect(queueSample.safeParse({ ...sample, ...more }).success).toBe(false);
});
