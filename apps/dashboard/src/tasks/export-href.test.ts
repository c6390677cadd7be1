import { expect, test } from 'vitest';
import { exportHref } from './export-href.ts';

test('a file is of what is looked for', () => {
  const filter = { cluster: 'prod', query: 'name:a&b runtime>3' };
  expect(exportHref('csv', { filter, span: '7d' })).toBe(
    'export/tasks.csv?query=name%3Aa%26b+runtime%3E3&cluster=prod&range=7d',
  );
  expect(exportHref('ndjson', { filter: { cluster: '', query: '' }, span: { from: 1, to: 2.5 } })).toBe(
    'export/tasks.ndjson?from=1&to=2.5',
  );
});
