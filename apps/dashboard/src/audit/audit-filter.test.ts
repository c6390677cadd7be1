import { describe, expect, test } from 'vitest';
import {
  exportHref,
  isNarrowed,
  NO_FILTER,
  questionOf,
  readFilter,
  readOpened,
  writeFilter,
  type AuditFilter,
} from './audit-filter.ts';

const FULL: AuditFilter = {
  ...{ cluster: 'prod', action: 'queue.*', outcomes: ['refused', 'failed'], who: 'a&b', target: 'celery@w1' },
  ...{ worker: 'w+1@h', text: 'x=1 "y"', range: '24h', from: '', to: '' },
};

describe('a filter in an address', () => {
  test('comes back as it was written, beside what else is there', () => {
    const query = writeFilter(FULL, new URLSearchParams('request=prod/1'));
    expect(readFilter(new URLSearchParams(query.toString()))).toEqual(FULL);
    expect(query.get('request')).toBe('prod/1');
    const days = { ...NO_FILTER, from: '2026-11-01', to: '2026-11-30' };
    expect(readFilter(writeFilter(days, new URLSearchParams()))).toEqual(days);
  });

  test('leaves nothing behind when it is cleared', () => {
    expect(writeFilter(NO_FILTER, writeFilter(FULL, new URLSearchParams('view=1'))).toString()).toBe('view=1');
  });

  test('holds no outcome, range or day that is none; days go before a range', () => {
    expect(readFilter(new URLSearchParams('range=2y&outcome=finished&from=2026-13-01&to=x'))).toEqual(NO_FILTER);
    expect(readFilter(new URLSearchParams('range=1h&from=2026-01-01'))).toMatchObject({
      range: '',
      from: '2026-01-01',
    });
  });

  test('is narrowed by anything but the cluster', () => {
    expect(isNarrowed({ ...NO_FILTER, cluster: 'a' })).toBe(false);
    for (const some of [{ who: 'a' }, { outcomes: ['done'] }, { range: '1h' }, { to: '2026-01-01' }] as const)
      expect(isNarrowed({ ...NO_FILTER, ...some })).toBe(true);
  });
});

test('the server is asked for nothing that is empty, and for whole days of the viewer', () => {
  expect(questionOf(NO_FILTER)).toEqual({});
  const { from: _, to: __, ...named } = FULL;
  expect(questionOf(FULL)).toEqual(named);
  const { from, to } = questionOf({ ...NO_FILTER, from: '2026-02-28', to: '2026-02-28' });
  expect(new Date((from ?? 0) * 1000).toString()).toMatch(/Feb 28 2026 00:00:00/);
  expect(new Date((to ?? 0) * 1000).toString()).toMatch(/Mar 01 2026 00:00:00/);
});

test('an export asks for what the page shows', () => {
  expect(exportHref('csv', {})).toBe('export/audit.csv');
  const href = exportHref('ndjson', questionOf(FULL));
  const query = new URL(href, 'http://h/m/').searchParams;
  expect(href).toMatch(/^export\/audit\.ndjson\?/);
  expect(Object.fromEntries(query)).toEqual({
    ...{ cluster: 'prod', action: 'queue.*', outcomes: 'refused,failed', who: 'a&b', target: 'celery@w1' },
    ...{ worker: 'w+1@h', text: 'x=1 "y"', range: '24h' },
  });
});

test.each([
  ['request=prod/a-1', { cluster: 'prod', requestId: 'a-1' }],
  ['request=prod/a/b', { cluster: 'prod', requestId: 'a/b' }],
  ['request=prod', null],
  ['request=/x', null],
  ['', null],
])('%s opens %o', (query, opened) => {
  expect(readOpened(new URLSearchParams(query))).toEqual(opened);
});
