import type { ServerAlarm, ServerFact, ServerFacts } from '@meadow/contract';

const ALARMS: Readonly<Record<ServerAlarm['alarm'], string>> = {
  memory: 'Memory is short',
  disk: 'Disk is short',
  partition: 'The cluster is split',
  'node-down': 'A node is down',
  eviction: 'Queues may be dropped',
  connections: 'Connections are refused',
  replica: 'This is a replica',
  persistence: 'It cannot save',
};

export const alarmTitle = (alarm: ServerAlarm['alarm']): string => ALARMS[alarm];

/** What stops messages now, against what may do so. */
export function isGrave({ alarm }: ServerAlarm): boolean {
  return alarm !== 'eviction' && alarm !== 'connections';
}

const FACTS: Readonly<Record<ServerFact, string>> = {
  product: 'Product',
  version: 'Version',
  uptimeSeconds: 'Uptime',
  connections: 'Connections',
  waiting: 'Connections that wait for a message',
  channels: 'Channels',
  consumers: 'Consumers',
  queues: 'Queues',
  unacked: 'Held by workers',
  unackedSince: 'Held for the longest time',
  memoryUsedBytes: 'Memory',
  memoryLimitBytes: 'Memory limit',
  diskFreeBytes: 'Free disk',
  diskLimitBytes: 'Least free disk',
  operations: 'Operations',
  rates: 'Message rates',
  role: 'Role',
  replicas: 'Replicas',
  evictionPolicy: 'When memory is full',
  evictedKeys: 'Keys dropped',
  rejectedConnections: 'Connections refused',
  nodes: 'Nodes',
  alarms: 'Alarms',
};

/** Facts that are not known, those with the same reason together, the reason with the most first. */
export function missingFacts(
  unknown: ServerFacts['unknown'],
): readonly { readonly why: string; readonly facts: readonly string[] }[] {
  const byReason = new Map<string, string[]>();
  for (const [fact, why] of Object.entries(unknown)) {
    const label = FACTS[fact as ServerFact];
    const facts = byReason.get(why);
    if (facts === undefined) byReason.set(why, [label]);
    else facts.push(label);
  }
  return [...byReason].map(([why, facts]) => ({ why, facts })).sort((a, b) => b.facts.length - a.facts.length);
}

/** How full something is, 0 to 1; null where there is no limit, or it is not known. */
export function shareOf(used: number | null, limit: number | null): number | null {
  return used === null || limit === null || limit <= 0 ? null : Math.min(1, used / limit);
}
