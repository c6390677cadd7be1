import { expect, test } from 'vitest';
import { errorsInput, isNarrowed, readErrorFilter, USUAL, writeErrorFilter, type ErrorFilter } from './error-filter.ts';

const read = (text: string): ErrorFilter => readErrorFilter(new URLSearchParams(text));

test('open groups are shown unless the address says otherwise', () => {
  expect(read('')).toEqual(USUAL);
  expect(read('status=closed&category=odd&order=size')).toEqual(USUAL);
  expect(read('status=any').status).toBe('');
  expect(read('status=resolved&category=memory,timeout').categories).toEqual(['timeout', 'memory']);
});

test('an address holds the whole filter, and only what is not usual', () => {
  const filter: ErrorFilter = {
    ...{ status: '', categories: ['timeout', 'worker-lost'], text: 'a b&c', name: 'shop.*', queue: 'q', worker: 'w@h' },
    order: 'rise',
  };
  const query = writeErrorFilter(filter, new URLSearchParams('range=24h&text=old'));
  expect(readErrorFilter(query)).toEqual(filter);
  expect(query.get('range')).toBe('24h');
  expect(writeErrorFilter(USUAL, query).toString()).toBe('range=24h');
});

test('the status alone narrows nothing that is unexpected', () => {
  expect(isNarrowed({ ...USUAL, status: 'ignored' })).toBe(false);
  expect(isNarrowed({ ...USUAL, queue: 'q' })).toBe(true);
  expect(isNarrowed({ ...USUAL, categories: ['other'] })).toBe(true);
});

test('every status is asked for by naming none', () => {
  const where = { cluster: null, range: '24h', limit: 100 } as const;
  expect(errorsInput(USUAL, where)).toMatchObject({ statuses: ['open'], categories: [], text: '', ...where });
  expect(errorsInput({ ...USUAL, status: '' }, where).statuses).toEqual([]);
});
