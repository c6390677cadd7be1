import type { WorkflowMember } from '@meadow/api';

/** Places of the members that are shown while some are folded, by id: what descends from these is left out. */
export function visibleRows(members: readonly WorkflowMember[], folded: ReadonlySet<string>): number[] {
  const rows: number[] = [];
  for (let place = 0; place < members.length; place++) {
    rows.push(place);
    const member = members[place];
    if (member !== undefined && folded.has(member.task_id)) place += member.descendants;
  }
  return rows;
}

/** Ids of all members below the root that others descend from. */
export function foldable(members: readonly WorkflowMember[]): string[] {
  return members.filter(({ depth, descendants }) => depth > 0 && descendants > 0).map(({ task_id }) => task_id);
}

/** Which rows lie in view: from included, to excluded. Rows on both sides are drawn too, so that none is missed. */
export function rowWindow(
  view: { readonly top: number; readonly height: number; readonly rowHeight: number },
  count: number,
): { readonly from: number; readonly to: number } {
  const spare = 10;
  const from = Math.floor(view.top / view.rowHeight) - spare;
  const to = Math.ceil((view.top + view.height) / view.rowHeight) + spare;
  return { from: Math.max(0, Math.min(from, count)), to: Math.max(0, Math.min(to, count)) };
}
