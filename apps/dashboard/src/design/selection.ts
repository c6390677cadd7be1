/** Rows that were chosen, by their keys. */
export type Selection = ReadonlySet<string>;

/** How much of some rows is chosen. */
export function chosenOf(keys: readonly string[], selection: Selection): 'none' | 'some' | 'all' {
  const count = keys.filter((key) => selection.has(key)).length;
  return count === 0 ? 'none' : count === keys.length ? 'all' : 'some';
}

/** Chooses all of them, or none where all are chosen already. */
export function toggled(keys: readonly string[], selection: Selection): Selection {
  const next = new Set(selection);
  const off = chosenOf(keys, selection) === 'all';
  for (const key of keys) {
    if (off) next.delete(key);
    else next.add(key);
  }
  return next;
}
