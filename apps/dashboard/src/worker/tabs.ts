import type { Inspection } from '@meadow/contract';

/** The parts of a worker's page: what each is called, and what the worker is asked for while it is open. */
export const TABS = [
  { id: 'overview', label: 'Overview', asks: ['stats'] },
  { id: 'queues', label: 'Queues', asks: ['stats', 'active_queues'] },
  { id: 'tasks', label: 'Tasks now', asks: ['stats', 'active', 'reserved', 'scheduled'] },
  { id: 'registered', label: 'Registered', asks: ['stats', 'registered'] },
  { id: 'revoked', label: 'Revoked', asks: ['stats', 'revoked'] },
  { id: 'configuration', label: 'Configuration', asks: ['stats'] },
  { id: 'history', label: 'History', asks: ['stats'] },
] as const satisfies readonly { id: string; label: string; asks: readonly Inspection[] }[];

export type Tab = (typeof TABS)[number];

/** The tab that an address names; the first for anything else. */
export function readTab(query: URLSearchParams): Tab {
  const named = query.get('tab');
  return TABS.find(({ id }) => id === named) ?? TABS[0];
}
