import type { IconName } from './icons.ts';

export type Tone = 'ok' | 'bad' | 'warn' | 'run' | 'off' | 'idle' | 'custom';

/** How a state looks: never told by colour alone. */
export interface Look {
  readonly tone: Tone;
  readonly icon: IconName;
  readonly label: string;
}

const LOOKS: Readonly<Record<string, Look>> = {
  PENDING: { tone: 'idle', icon: 'dashed', label: 'Pending' },
  RECEIVED: { tone: 'idle', icon: 'inbox', label: 'Received' },
  STARTED: { tone: 'run', icon: 'play', label: 'Started' },
  RETRY: { tone: 'warn', icon: 'retry', label: 'Retry' },
  SUCCESS: { tone: 'ok', icon: 'check', label: 'Success' },
  FAILURE: { tone: 'bad', icon: 'cross', label: 'Failure' },
  REVOKED: { tone: 'off', icon: 'slash', label: 'Revoked' },
  REJECTED: { tone: 'off', icon: 'minus', label: 'Rejected' },
  LOST: { tone: 'bad', icon: 'help', label: 'Lost' },
};

/** Look of a task's state; states of the user's own get a look of their own and keep their name. */
export function taskLook(state: string): Look {
  return LOOKS[state] ?? { tone: 'custom', icon: 'diamond', label: state === '' ? 'Unknown' : titled(state) };
}

function titled(state: string): string {
  return state.charAt(0) + state.slice(1).toLowerCase().replaceAll('_', ' ');
}

export function workerLook(state: 'online' | 'offline' | 'lost' | 'quiet'): Look {
  switch (state) {
    case 'online':
      return { tone: 'ok', icon: 'check', label: 'Online' };
    case 'offline':
      return { tone: 'idle', icon: 'slash', label: 'Offline' };
    case 'lost':
      return { tone: 'bad', icon: 'alert', label: 'Lost' };
    case 'quiet':
      return { tone: 'idle', icon: 'dashed', label: 'No heartbeats' };
    default:
      return state satisfies never;
  }
}
