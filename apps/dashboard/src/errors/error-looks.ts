import type { ErrorGroup } from '@meadow/api';
import type { ErrorCategory, ErrorStatus } from '@meadow/contract';
import type { Look } from '../design/states.ts';

const CATEGORY_LOOKS: Readonly<Record<ErrorCategory, Look>> = {
  timeout: { tone: 'warn', icon: 'clock', label: 'Timeout' },
  memory: { tone: 'off', icon: 'system', label: 'Memory' },
  connection: { tone: 'run', icon: 'plug', label: 'Connection' },
  validation: { tone: 'custom', icon: 'pencil', label: 'Validation' },
  permission: { tone: 'ok', icon: 'lock', label: 'Permission' },
  'worker-lost': { tone: 'bad', icon: 'workers', label: 'Worker lost' },
  other: { tone: 'idle', icon: 'diamond', label: 'Other' },
};

export const CATEGORIES = Object.keys(CATEGORY_LOOKS) as readonly ErrorCategory[];

export const categoryLook = (category: ErrorCategory): Look => CATEGORY_LOOKS[category];

/** The colour of a category in a chart. */
export const categoryColour = (category: ErrorCategory): string => `--${CATEGORY_LOOKS[category].tone}-solid`;

const STATUS_LOOKS: Readonly<Record<ErrorStatus, Look>> = {
  open: { tone: 'warn', icon: 'alert', label: 'Open' },
  resolved: { tone: 'ok', icon: 'check', label: 'Resolved' },
  ignored: { tone: 'idle', icon: 'slash', label: 'Ignored' },
};

export const STATUSES = Object.keys(STATUS_LOOKS) as readonly ErrorStatus[];

export const statusLook = (status: ErrorStatus): Look => STATUS_LOOKS[status];

/** How a group stands; one that came back after it was resolved says so. */
export function groupLook({ status, regressed }: Pick<ErrorGroup, 'status' | 'regressed'>): Look {
  return regressed ? { tone: 'bad', icon: 'retry', label: 'Regression' } : STATUS_LOOKS[status];
}

const KINDS: Readonly<Record<string, Look>> = {
  failed: { tone: 'bad', icon: 'cross', label: 'Failed' },
  retried: { tone: 'warn', icon: 'retry', label: 'Retried' },
  lost: { tone: 'bad', icon: 'help', label: 'Lost' },
};

/** How a run failed. */
export const kindLook = (kind: string): Look => KINDS[kind] ?? { tone: 'idle', icon: 'diamond', label: kind };
