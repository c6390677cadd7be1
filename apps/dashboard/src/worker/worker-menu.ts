import { whyNot, type WorkerFacts } from '../control/abilities.ts';
import {
  autoscale,
  DISABLE_EVENTS,
  ENABLE_EVENTS,
  HEARTBEAT,
  PING,
  POOL_GROW,
  POOL_RESTART,
  POOL_SHRINK,
  SHUTDOWN,
  type Action,
} from '../control/actions.ts';
import type { MenuItem } from '../design/menu.ts';

/** What can be done to one worker as a whole; what it cannot do is there, with the reason. */
export function workerMenu(facts: WorkerFacts, onchoose: (action: Action) => void): readonly (readonly MenuItem[])[] {
  const item = (label: string, action: Action): MenuItem => ({
    ...{ id: action.method, label, whyNot: whyNot(action.method, facts), danger: action.danger ?? false },
    onchoose: () => {
      onchoose(action);
    },
  });
  return [
    [item('Ping', PING), item('Ask for a heartbeat', HEARTBEAT)],
    [
      item('Grow the pool', POOL_GROW),
      item('Shrink the pool', POOL_SHRINK),
      item('Autoscaler’s range', autoscale(facts)),
      item('Restart the pool', POOL_RESTART),
    ],
    [item('Send task events', ENABLE_EVENTS), item('Stop task events', DISABLE_EVENTS)],
    [item('Shut down', SHUTDOWN)],
  ];
}
