import { expect, test } from 'vitest';
import { requestsOf } from './requests.ts';
import { sampleRecord } from './sample-record.ts';

const begun = sampleRecord({ id: 'a', at: 100, outcome: 'begun', detail: '', duration_seconds: null });
const done = sampleRecord({ id: 'b', at: 107, duration_seconds: 7 });
const told = (records: Parameters<typeof requestsOf>[0]) =>
  requestsOf(records).map(({ at, record }) => `${record.request_id} ${at} ${record.outcome}`);

test('a request is one line, by the time of its begin, with what came of it', () => {
  expect(told([begun])).toEqual(['r1 100 begun']);
  expect(told([done, begun])).toEqual(['r1 100 done']);
  expect(told([begun, done])).toEqual(['r1 100 done']);
  // without its begin, as under a filter, that is told by how long it took
  expect(told([done])).toEqual(['r1 100 done']);
});

test('an end that lies before its begin by another clock is the end', () => {
  expect(told([begun, { ...done, at: 99 }])).toEqual(['r1 100 done']);
});

test('of two ends the later one counts', () => {
  expect(told([done, { ...done, id: 'c', at: 120, outcome: 'failed' }, begun])).toEqual(['r1 100 failed']);
});

test('newest first, and requests of the same id on two clusters are two', () => {
  const refused = sampleRecord({ id: 'd', at: 103, outcome: 'refused', request_id: 'r2', duration_seconds: 0 });
  expect(told([done, refused, begun])).toEqual(['r2 103 refused', 'r1 100 done']);
  expect(requestsOf([done, { ...done, cluster: 'test' }]).map(({ key }) => key)).toEqual(['test/r1', 'prod/r1']);
});
