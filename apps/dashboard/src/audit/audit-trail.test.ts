import type { AuditPage } from '@meadow/api';
import { expect, test } from 'vitest';
import { AuditTrail, type Trail } from './audit-trail.ts';
import { sampleRecord } from './sample-record.ts';

const { signal } = new AbortController();
const PAGE = 3;

/** A server with these records, a page of three at a time. */
function server() {
  const records: AuditPage['rows'][number][] = [];
  const add = (from: number, to = from): void => {
    for (let at = from; at <= to; at++) records.unshift(sampleRecord({ id: `i${at}`, request_id: `r${at}`, at }));
  };
  const audit = ({ cursor }: { readonly cursor: string | null }): Promise<AuditPage> => {
    const left = records.filter(({ at }) => cursor === null || at < Number(cursor));
    const rows = left.slice(0, PAGE);
    return Promise.resolve({ rows, next: left.length > PAGE ? String(rows.at(-1)?.at) : null });
  };
  const remove = (at: number): void => {
    records.splice(
      records.findIndex((record) => record.at === at),
      1,
    );
  };
  return { add, remove, api: { audit } };
}

const shown = ({ lines, hasOlder }: Trail): string =>
  `${lines.map(({ record }) => record.at).join(' ')}${hasOlder ? ' …' : ''}`;

test('what is new is put on top of what older pages were loaded', async () => {
  const { add, api } = server();
  add(1, 8);
  const trail = new AuditTrail(api, {});
  expect(shown(await trail.look(signal))).toBe('8 7 6 …');
  expect(shown(await trail.loadOlder(signal))).toBe('8 7 6 5 4 3 …');
  add(9, 10);
  expect(shown(await trail.look(signal))).toBe('10 9 8 7 6 5 4 3 …');
  expect(shown(await trail.loadOlder(signal))).toBe('10 9 8 7 6 5 4 3 2 1');
  add(11);
  expect(shown(await trail.look(signal))).toBe('11 10 9 8 7 6 5 4 3 2 1');
});

test('a list that would have a hole begins anew', async () => {
  const { add, api } = server();
  add(1, 4);
  const trail = new AuditTrail(api, {});
  await trail.look(signal);
  await trail.loadOlder(signal);
  add(5, 9);
  expect(shown(await trail.look(signal))).toBe('9 8 7 …');
  expect(shown(await trail.loadOlder(signal))).toBe('9 8 7 6 5 4 …');
});

test('an older page of a list that was begun anew meanwhile is not added', async () => {
  const { add, api } = server();
  add(1, 7);
  const held = Promise.withResolvers<undefined>();
  const slow: typeof api = {
    audit: async (input) => {
      const page = await api.audit(input);
      if (input.cursor !== null) await held.promise;
      return page;
    },
  };
  const trail = new AuditTrail(slow, {});
  await trail.look(signal);
  const older = trail.loadOlder(signal);
  add(8, 20);
  await trail.look(signal);
  held.resolve(undefined);
  expect(shown(await older)).toBe('20 19 18 …');
});

test('what fits the filter no more leaves the list', async () => {
  const { add, remove, api } = server();
  add(1, 6);
  const trail = new AuditTrail(api, { outcomes: ['begun'] });
  await trail.look(signal);
  await trail.loadOlder(signal);
  remove(5);
  expect(shown(await trail.look(signal))).toBe('6 4 3 2 1');
  for (const at of [6, 4, 3, 2, 1]) remove(at);
  expect(shown(await trail.look(signal))).toBe('');
});

test('an empty audit fills', async () => {
  const { add, api } = server();
  const trail = new AuditTrail(api, {});
  expect(shown(await trail.look(signal))).toBe('');
  add(1, 2);
  expect(shown(await trail.look(signal))).toBe('2 1');
});
