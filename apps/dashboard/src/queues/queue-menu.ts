import type { Pause } from '@meadow/contract';
import type { MenuItem } from '../design/menu.ts';
import type { QueueShown } from './queue-shown.ts';
import type { Takers } from './takers.ts';

export type QueueAct = 'pause' | 'resume' | 'move' | 'purge';

/** What is known of a queue that decides what can be done to it. */
export interface QueueMenuFacts {
  readonly shown: QueueShown;
  readonly paused: Pause | null;
  /** Null when workers cannot be asked. */
  readonly takers: Takers | null;
}

/** What can be done to a queue; what cannot is there, with the reason. */
export function queueMenu(
  { shown, paused, takers }: QueueMenuFacts,
  onchoose: (act: QueueAct) => void,
): readonly (readonly MenuItem[])[] {
  const item = (id: QueueAct, label: string, whyNot: string | null, danger = false): MenuItem => ({
    ...{ id, label, danger, whyNot: whyNever(shown) ?? whyNot },
    onchoose: () => {
      onchoose(id);
    },
  });
  const nobody = takers?.complete === true && !takers.of.has(shown.row.queue);
  // only the broker's word of this moment speaks against what may be wanted in a moment
  const empty = shown.from === 'broker' && shown.row.ready === 0 ? 'No message waits in it.' : null;
  return [
    [
      item('pause', 'Pause', nobody ? 'No worker takes from it.' : null),
      item('resume', 'Resume', paused === null ? 'It was not paused here.' : null),
    ],
    [item('move', 'Move messages', empty), item('purge', 'Purge', empty, true)],
  ];
}

function whyNever({ delayed, exists }: QueueShown): string | null {
  if (delayed) return 'It is one of Celery’s own, for delayed delivery: it is left alone.';
  return exists === false ? 'The broker has no such queue.' : null;
}
