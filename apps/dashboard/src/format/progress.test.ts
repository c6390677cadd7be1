import { expect, test } from 'vitest';
import { readProgress } from './progress.ts';

test.each([
  ['{"current": 5, "total": 20, "message": "rows"}', { share: 0.25, current: 5, total: 20, message: 'rows' }],
  ['{"percent": 40}', { share: 0.4, current: null, total: null, message: '' }],
  ['{"percent": 400}', { share: 1, current: null, total: null, message: '' }],
  ['{"message": "warming up"}', { share: null, current: null, total: null, message: 'warming up' }],
  ['{"current": 5, "total": 0}', null],
  ['{"other": 1}', null],
  ['[1]', null],
  ['{', null],
  ['', null],
])('%s', (json, progress) => {
  expect(readProgress(json)).toEqual(progress);
});
