import { expect, test } from 'vitest';
import { Router, type Page } from './router.ts';

function pageAt(href: string): Page {
  const location = { href };
  const move = (_data: unknown, _title: string, url?: string | URL | null) => {
    location.href = String(url);
  };
  return {
    location,
    history: { pushState: move, replaceState: move },
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  };
}

test('works under a URL prefix', () => {
  const router = new Router(pageAt('http://h/ops/meadow/c/prod?range=6h'), 'http://h/ops/meadow/');
  expect(router.route).toEqual({ page: 'overview', cluster: 'prod' });
  expect(router.query.get('range')).toBe('6h');
  expect(router.href({ page: 'task', cluster: 'a', taskId: 'b c' })).toBe('/ops/meadow/tasks/a/b%20c');
});

test('follows where it is sent and keeps the page when only the query changes', () => {
  const router = new Router(pageAt('http://h/'), 'http://h/');
  router.go(router.href({ page: 'tasks' }));
  expect(router.route).toEqual({ page: 'tasks' });
  router.setQuery(new URLSearchParams([['state', 'FAILURE']]));
  expect(router.route).toEqual({ page: 'tasks' });
  expect(router.query.get('state')).toBe('FAILURE');
});

test('leaves empty values out of addresses', () => {
  const router = new Router(pageAt('http://h/'), 'http://h/');
  expect(
    router.href({ page: 'tasks' }, [
      ['q', ''],
      ['state', 'RETRY'],
    ]),
  ).toBe('/tasks?state=RETRY');
});

test('owns only what is under its base', () => {
  const router = new Router(pageAt('http://h/m/'), 'http://h/m/');
  expect(router.owns(new URL('http://h/m/tasks'))).toBe(true);
  expect(router.owns(new URL('http://h/other'))).toBe(false);
  expect(router.owns(new URL('http://x/m/tasks'))).toBe(false);
});
