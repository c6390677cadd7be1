import { expect, test } from 'vitest';
import { bindingOf, queueKeys, queuesBound } from './redis-keys.ts';
import { isDelayed, isTaskQueue } from './queue-names.ts';
import { addressAt } from './redis-unacked.ts';

test('a queue has a list for each step, those that are served first', () => {
  const keys = queueKeys({ global_keyprefix: 'app:', priority_steps: [0, 5], sep: ':' });
  expect(keys.lists('q').filter(({ served }) => served)).toEqual([
    { step: 0, key: 'app:q', served: true },
    { step: 5, key: 'app:q:5', served: true },
  ]);
  expect(keys.lists('q').map(({ step }) => step)).toEqual([0, 5, 1, 2, 3, 4, 6, 7, 8, 9]);
  expect(queueKeys({}).lists('q').slice(0, 4)).toMatchObject(
    ['q', 'q\u0006\u00163', 'q\u0006\u00166', 'q\u0006\u00169'].map((key) => ({ key, served: true })),
  );
});

test.each([
  ['celery', 'celery'],
  ['celery\u0006\u00169', 'celery'],
  ['celery\u0006\u0016x', null],
  ['unacked', null],
  ['_kombu.binding.celery', null],
  ['0f127883-103c-40fa-b36c-30d52d6bcc0a.reply.celery.pidbox', null],
  ['0f127883-103c-40fa-b36c-30d52d6bcc0a', null],
  ['celeryev.0f127883-103c-40fa-b36c-30d52d6bcc0a', null],
  ['w@host.celery.pidbox', null],
  ['res_celery-task-meta-1', null],
  ['tenant.0f127883-103c-40fa-b36c-30d52d6bcc0a', 'tenant.0f127883-103c-40fa-b36c-30d52d6bcc0a'],
])('the list %j is of the queue %j', (key, queue) => {
  expect(queueKeys({}).queueOf(key)).toBe(queue);
  expect(queueKeys({ global_keyprefix: 'app:' }).queueOf(`app:${key}`)).toBe(queue);
  expect(queueKeys({ global_keyprefix: 'app:' }).queueOf(key)).toBeNull();
});

test('names that hold no tasks are told from those that do', () => {
  expect(['meadow.events.garden', 'amq.gen-x', 'a\nb', '\uFFFD', ''].filter(isTaskQueue)).toEqual([]);
  expect(['celery', 'celery@host.dq2', 'unacked.mine', 'meadows'].every(isTaskQueue)).toBe(true);
  expect(isDelayed('celery_delayed_27')).toBe(true);
});

test('a message is traced to its queue by the bindings that kombu left', () => {
  const sep = '\u0006\u0016';
  const read = (member: string) => bindingOf(member, sep);
  expect(read(`report.#${sep}^report\\..*?$${sep}reports`)).toEqual({ routingKey: 'report.#', queue: 'reports' });
  expect(read('nothing')).toBeNull();
  const bindings = ['report.#', 'report.*.day', 'exact', '*'.repeat(200)].map((routingKey, n) => ({
    routingKey,
    queue: `q${n}`,
  }));
  expect(queuesBound(bindings.slice(0, 3), 'report.eu.day')).toEqual(['q0', 'q1']);
  expect(queuesBound(bindings.slice(0, 3), 'exact')).toEqual(['q2']);
  expect(queuesBound(bindings.slice(0, 3), 'other')).toEqual([]);
  // a pattern that would keep an expression busy for ever
  expect(queuesBound(bindings.slice(3), 'x'.repeat(255))).toEqual(['q3']);
});

test.each([
  ['[{"body": "x"}, "", "celery"]', ['', 'celery']],
  ['…cut off", "a\\"b": "\\\\"}, "ex\\u00e9", "r\\"k"]', ['exé', 'r"k']],
  ['[{}, null, "celery"]', ['', 'celery']],
  ['[{}, "a", null]', ['a', '']],
  ['[{}, "celery"', null],
  ['no json]', null],
  ['', null],
])('the end of an unacknowledged entry %j tells the address %j', (tail, address) => {
  expect(addressAt(tail)).toBe(address === null ? null : JSON.stringify(address));
});
