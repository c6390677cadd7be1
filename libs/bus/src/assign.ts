/** Who does the work of one item. */
export interface Place {
  readonly primary: string;
  /** Who becomes primary when the primary leaves and nothing else changes; null when there is nobody else. */
  readonly standby: string | null;
}

interface Pair {
  readonly item: string;
  readonly member: string;
  readonly score: number;
}

/**
 * Shares items out over members: the same answer for everybody who knows the same names, in whatever order. No member is
 * primary of more than ceil(items / members). A member that joins or leaves moves little more than its own share.
 *
 * Rendezvous hashing with bounded load: of all pairs of item and member the one with the highest score is settled first,
 * unless the item has a primary already or the member has its share.
 * @returns a place for every item; empty when there are no members
 */
export function assign(items: Iterable<string>, members: Iterable<string>): Map<string, Place> {
  const itemList = [...new Set(items)];
  const memberList = [...new Set(members)];
  const pairs: Pair[] = [];
  for (const item of itemList) {
    for (const member of memberList) pairs.push({ item, member, score: score(item, member) });
  }
  pairs.sort((a, b) => b.score - a.score || compare(a.item, b.item) || compare(a.member, b.member));
  const primaries = share(pairs, itemList.length, memberList.length, null);
  const heirs = new Map<string, Map<string, string>>();
  const places = new Map<string, Place>();
  for (const [item, primary] of primaries) {
    let heirsOfPrimary = heirs.get(primary);
    if (heirsOfPrimary === undefined) {
      heirsOfPrimary = share(pairs, itemList.length, memberList.length - 1, primary);
      heirs.set(primary, heirsOfPrimary);
    }
    places.set(item, { primary, standby: heirsOfPrimary.get(item) ?? null });
  }
  return places;
}

/** The primaries as they are without the member `absent`. */
function share(pairs: readonly Pair[], items: number, members: number, absent: string | null): Map<string, string> {
  const bound = Math.ceil(items / members);
  const primaries = new Map<string, string>();
  const loads = new Map<string, number>();
  for (const { item, member } of pairs) {
    if (member === absent || primaries.has(item)) continue;
    const load = loads.get(member) ?? 0;
    if (load >= bound) continue;
    primaries.set(item, member);
    loads.set(member, load + 1);
    if (primaries.size === items) break;
  }
  return primaries;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** 32 bits that look random, from both names: FNV-1a, then mixed so that names which differ in one letter do not march together. */
function score(item: string, member: string): number {
  let hash = 0x811c9dc5;
  const text = `${item}\0${member}`;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}
