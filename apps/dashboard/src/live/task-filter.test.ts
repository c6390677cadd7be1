import { describe, expect, test } from 'vitest';
import { readFilter, writeFilter } from './task-filter.ts';

const read = (address: string) => readFilter(new URLSearchParams(address));

describe('a filter in an address', () => {
  test('comes back as it was written, beside what else is there', () => {
    const filter = { cluster: 'prod', query: 'state:FAILURE kwargs.note="a&b \\"c\\"" -name:shop.*' };
    const address = writeFilter(filter, new URLSearchParams('range=6h&sort=-runtime'));
    expect(read(address.toString())).toEqual(filter);
    expect(address.get('range')).toBe('6h');
    expect(address.get('sort')).toBe('-runtime');
  });

  test('leaves nothing behind when it is cleared, of former addresses neither', () => {
    const address = new URLSearchParams('query=a&state=X&name=b&queue=c&worker=d&q=1&range=1h');
    expect(writeFilter({ cluster: '', query: ' ' }, address).toString()).toBe('range=1h');
  });
});

test.each([
  ['state=FAILURE', 'state:FAILURE'],
  ['state=failure,%20retry&state=FAILURE,', 'state:FAILURE,RETRY'],
  ['name=shop.*', 'name:shop.*'],
  ['name=shop.pay&state=RETRY', 'state:RETRY name:shop.pay'],
  ['queue=high%20prio', 'queue:"high prio"'],
  ['queue=a*b', 'queue=a*b'],
  ['worker=celery@web-1', 'worker:celery@web-1'],
  ['q=customer', 'customer'],
  ['q=no+stock', '"no stock"'],
  ['q=-x:%22y', '"-x:\\"y"'],
  ['query=runtime>3&q=a', 'runtime>3 a'],
  ['state=,&q=+', ''],
])('an old link %s still finds what it found', (address, query) => {
  expect(read(address).query).toBe(query);
});
