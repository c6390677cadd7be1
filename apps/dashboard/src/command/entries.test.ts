import { expect, test } from 'vitest';
import { isTaskId, matching, type Entry } from './entries.ts';

const entry = (kind: Entry['kind'], label: string, hint = ''): Entry => ({
  kind,
  label,
  hint,
  icon: 'tasks',
  href: '',
});
const entries = [
  entry('Page', 'Tasks'),
  entry('Queue', 'high-mail', 'prod'),
  entry('Queue', 'mail', 'prod'),
  entry('Worker', 'celery@mailer', 'stage'),
  entry('Cluster', 'stage'),
];
const found = (text: string) => matching(entries, text).map(({ label }) => label);

test('what begins with the text comes first, then what has a word that does', () => {
  expect(found('mail')).toEqual(['mail', 'high-mail', 'celery@mailer']);
  expect(found('AIL')).toEqual(['high-mail', 'mail', 'celery@mailer']);
});

test('every word counts, also of the kind and of what an entry belongs to', () => {
  expect(found('worker stage')).toEqual(['celery@mailer']);
  expect(found('stage')).toEqual(['stage', 'celery@mailer']);
  expect(found('mail nowhere')).toEqual([]);
});

test('without a text there is everything, up to a bound', () => {
  expect(found(' ')).toHaveLength(5);
  expect(
    matching(
      Array.from({ length: 500 }, (_, at) => entry('Queue', `q${at}`)),
      'q',
    ),
  ).toHaveLength(40);
});

test('ids of tasks are known by their form', () => {
  expect(isTaskId(' 7d3bb1f2-6b1f-4c8e-9f0e-3f2b5f6f2d11 ')).toBe(true);
  expect(isTaskId('7d3bb1f2')).toBe(false);
});
