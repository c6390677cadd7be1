import { expect, test } from 'vitest';
import { assign } from './assign.ts';

const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

const primaries = (items: string[], members: string[]): Map<string, string> =>
  new Map([...assign(items, members)].map(([item, { primary }]) => [item, primary]));

const moved = (before: Map<string, string>, after: Map<string, string>): number =>
  [...before].filter(([item, primary]) => after.get(item) !== primary).length;

/** Every size that matters, under several sets of names. */
function* fleets(): Generator<{ items: string[]; members: string[] }> {
  for (const salt of ['a', 'b', 'c', 'd', 'e']) {
    for (const items of [1, 2, 7, 20, 64]) {
      for (const members of [1, 2, 3, 5, 8])
        yield { items: names(`${salt}-item`, items), members: names(salt, members) };
    }
  }
}

test('no member has more than its share, and every item has a primary', () => {
  for (const { items, members } of fleets()) {
    const loads = new Map<string, number>();
    const places = primaries(items, members);
    for (const primary of places.values()) loads.set(primary, (loads.get(primary) ?? 0) + 1);
    expect(places.size).toBe(items.length);
    expect(Math.max(...loads.values())).toBeLessThanOrEqual(Math.ceil(items.length / members.length));
  }
});

test('the order in which names are known makes no difference', () => {
  for (const { items, members } of fleets()) {
    const turned = assign(items.toReversed(), members.toReversed());
    for (const [item, place] of assign(items, members)) expect(turned.get(item)).toEqual(place);
  }
});

test('when a primary leaves, the standby of each of its items takes over', () => {
  for (const { items, members } of fleets()) {
    const places = assign(items, members);
    for (const gone of members) {
      const after = primaries(
        items,
        members.filter((member) => member !== gone),
      );
      for (const [item, { primary, standby }] of places) {
        if (primary === gone) expect(standby).toBe(after.get(item) ?? null);
      }
    }
  }
});

test('a member that joins or leaves moves little more than its share', () => {
  let all = 0;
  let least = 0;
  for (const { items, members } of fleets()) {
    if (members.length === 1) continue;
    const [, ...others] = members;
    const count = moved(primaries(items, members), primaries(items, others));
    const share = Math.ceil(items.length / members.length);
    expect(count).toBeLessThanOrEqual(3 * share);
    all += count;
    least += share;
  }
  expect(all / least).toBeLessThan(1.5);
});

test('nobody to share with means no places', () => {
  expect(assign(['x'], []).size).toBe(0);
  expect(assign([], ['m']).size).toBe(0);
});
