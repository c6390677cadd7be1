import { expect, test } from 'vitest';
import { inOrder, origins, sentence } from './words.ts';

test('that it runs again is told first, whatever else there is', () => {
  const warnings = ['OPTIONS_UNKNOWN', 'ARGS_FROM_REPR', 'RUNS_AGAIN'].map((code) => ({ code, text: code }));
  expect(inOrder(warnings).map(({ code }) => code)).toEqual(['RUNS_AGAIN', 'OPTIONS_UNKNOWN', 'ARGS_FROM_REPR']);
});

test('each part is told with where it was read, and what nothing tells as that', () => {
  const told = origins({ name: 'events', arguments: 'message', route: 'elsewhere', options: null });
  expect(told.map(([, origin]) => origin)).toEqual([
    'its events',
    'its message, which is with the broker',
    'elsewhere',
    'not known: it has none',
  ]);
});

test('an error’s words become a sentence', () => {
  expect([sentence('nothing is known of it'), sentence('Done.'), sentence('')]).toEqual([
    'Nothing is known of it.',
    'Done.',
    '',
  ]);
});
