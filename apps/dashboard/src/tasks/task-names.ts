import type { Selection } from '../design/selection.ts';

/** The tasks that keys of `taskKey` name. */
export function namesOf(selection: Selection): readonly { readonly cluster: string; readonly taskId: string }[] {
  return [...selection].map((key) => {
    // clusters have no line breaks in their names, ids may
    const end = key.indexOf('\n');
    return { cluster: key.slice(0, end), taskId: key.slice(end + 1) };
  });
}
