import type { Redis } from 'ioredis';
import type { ServerAlarm, ServerFact } from '@meadow/contract';
import type { ServerLook } from './port.ts';
import type { QueueKeys } from './redis-keys.ts';
import { isReplyError } from './redis-reply.ts';

/** So full is too full: what does not fit is refused, or dropped. */
const FULL = 0.9;

/** Reads what Redis tells of itself. */
export async function redisFacts(client: Redis, keys: QueueKeys): Promise<ServerLook> {
  const info = parseInfo(await client.info());
  const { unacked, unackedSince } = await heldByWorkers(client, keys);
  const number = (name: string): number | null => numberOf(info.get(name));
  const limit = number('maxmemory');
  const known = {
    product: info.has('valkey_version') ? 'Valkey' : 'Redis',
    version: info.get('valkey_version') ?? info.get('redis_version') ?? null,
    uptimeSeconds: number('uptime_in_seconds'),
    connections: number('connected_clients'),
    waiting: number('blocked_clients'),
    unacked,
    memoryUsedBytes: number('used_memory'),
    operations: number('instantaneous_ops_per_sec'),
    role: info.get('role') ?? null,
    replicas: number('connected_slaves'),
    evictionPolicy: info.get('maxmemory_policy') ?? null,
    evictedKeys: number('evicted_keys'),
    rejectedConnections: number('rejected_connections'),
  };
  const foreign = ['channels', 'consumers', 'queues', 'diskFreeBytes', 'diskLimitBytes', 'rates', 'nodes'] as const;
  const unknown: Partial<Record<ServerFact, string>> = {};
  for (const fact of foreign) unknown[fact] = 'redis does not tell';
  for (const [fact, value] of Object.entries(known) as [keyof typeof known, unknown][]) {
    if (value === null)
      unknown[fact] = fact === 'unacked' ? 'this user may not look' : 'INFO does not tell it to this user';
  }
  if (limit === null) unknown.memoryLimitBytes = 'INFO does not tell it to this user';
  return {
    ...{ kind: 'redis', source: 'redis', ...known, unackedSince },
    ...{ memoryLimitBytes: limit === 0 ? null : limit },
    ...{
      channels: null,
      consumers: null,
      queues: null,
      diskFreeBytes: null,
      diskLimitBytes: null,
      rates: null,
      nodes: null,
    },
    alarms: alarmsIn(info),
    ...{ unknown, degraded: null },
  };
}

async function heldByWorkers(
  client: Redis,
  keys: QueueKeys,
): Promise<{ unacked: number | null; unackedSince: number | null }> {
  try {
    const unacked = await client.hlen(keys.unacked);
    const [, since] = await client.zrange(keys.unackedIndex, '0', '0', 'WITHSCORES');
    return { unacked, unackedSince: numberOf(since) };
  } catch (error) {
    if (!isReplyError(error)) throw error;
    return { unacked: null, unackedSince: null };
  }
}

function parseInfo(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\r\n').map((line) => /^([^#:]+):(.*)$/.exec(line));
  return new Map(lines.flatMap((parts) => (parts === null ? [] : [[parts[1] ?? '', parts[2] ?? ''] as const])));
}

function numberOf(text: string | undefined): number | null {
  return text === undefined || text === '' || Number.isNaN(Number(text)) ? null : Number(text);
}

function alarmsIn(info: ReadonlyMap<string, string>): ServerAlarm[] {
  const number = (name: string): number => numberOf(info.get(name)) ?? 0;
  const alarms: ServerAlarm[] = [];
  const limit = number('maxmemory');
  const policy = info.get('maxmemory_policy');
  if (limit > 0 && number('used_memory') > limit * FULL) {
    alarms.push({
      alarm: 'memory',
      says: `${Math.round((100 * number('used_memory')) / limit)} % of maxmemory is used`,
    });
  }
  if (limit > 0 && policy !== undefined && policy !== 'noeviction') {
    const says = `maxmemory-policy is ${policy}: a full Redis drops queues; set it to noeviction`;
    alarms.push({ alarm: 'eviction', says: `${says}, ${number('evicted_keys')} keys were dropped since it started` });
  }
  if (number('rejected_connections') > 0) {
    const says = `${number('rejected_connections')} connections were refused since it started: raise maxclients`;
    alarms.push({ alarm: 'connections', says });
  }
  if (info.get('role') === 'slave') {
    const link = info.get('master_link_status') ?? 'unknown';
    alarms.push({
      alarm: 'replica',
      says: `this is a replica, which takes no messages; the link to its master is ${link}`,
    });
  }
  if (info.get('rdb_last_bgsave_status') === 'err' || info.get('aof_last_write_status') === 'err') {
    alarms.push({
      alarm: 'persistence',
      says: 'it could not save to disk, and may refuse messages: look at its log and disk',
    });
  }
  return alarms;
}
