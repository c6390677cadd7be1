import type { InspectionPart } from '@meadow/contract';
import { expect, test } from 'vitest';
import { suggestionsOf } from './suggestions.ts';

const registered = (worker: string, value: readonly string[]): InspectionPart => ({
  ...{ kind: 'inspection', of: 'registered', worker, at: 1, value, omitted: 0, error: null },
});

const SEEN: Readonly<Record<string, string>> = { name: 'shop.pay', queue: 'shop' };
const NOTHING_ELSE = {
  list: () => Promise.reject(new Error('asked for tasks')),
  facets: () => Promise.reject(new Error('asked for facets')),
};

test('names and queues come from all who know them, and whoever does not answer is left out', async () => {
  const told = await suggestionsOf(
    {
      search: { ...NOTHING_ELSE, values: ({ field }) => Promise.resolve([{ value: SEEN[field] ?? '', count: null }]) },
      inspect: () =>
        Promise.resolve([
          registered('a', ['shop.ship [rate_limit=1/m]']),
          registered('b', ['shop.pay', 'celery.chord_unlock']),
        ]),
      queues: () => Promise.reject(new Error('control is away')),
    },
    'north',
    new AbortController().signal,
  );
  expect(told).toEqual({ names: ['shop.pay', 'shop.ship'], queues: ['shop'] });
});
