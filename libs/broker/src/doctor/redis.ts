import type { ClusterDefinition } from '@meadow/contract';
import type { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { withDeadline } from '../deadline.ts';
import { timeoutError } from '../network-error.ts';
import { eventPatterns } from '../redis/channels.ts';
import { connectRedis } from '../redis/connection.ts';
import { redisError } from '../redis/errors.ts';
import type { RedisTarget } from '../url.ts';
import type { Checklist } from './checklist.ts';
import type { Hearing } from './hearing.ts';

export interface How {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly listenMs: number;
  readonly hearing: Hearing | null;
}

/** kombu needs no more; older ones have no ACL and no unlinking of keys. */
const OLDEST_REDIS = 6;
/** Below this a collector that is held up for a moment is cut off at 20,000 events/s. Bytes. */
const LEAST_PUBSUB_BUFFER = 32 * 1024 * 1024;
/** Redis's own usual limit for pub/sub clients. */
const ROOMY = 'CONFIG SET client-output-buffer-limit "pubsub 256mb 64mb 60"';
/** Behind a queue's name in the keys of its lower priorities, before the step. */
const PRIORITY_SEPARATOR = '\u0006\u0016';
/** Keys that are looked at for what nobody else tells. */
const SCANNED_KEYS = 100_000;

/** @throws BrokerError when the broker cannot be reached */
export async function examineRedis(
  target: RedisTarget,
  definition: ClusterDefinition,
  how: How,
  list: Checklist,
): Promise<void> {
  const began = performance.now();
  const { client, lost } = await connectRedis(target, {
    ...{ cluster: definition.name, clientName: 'meadow doctor', timeoutMs: how.timeoutMs, signal: how.signal },
  });
  try {
    await withDeadline(examine(), {
      ms: how.timeoutMs * 2 + how.listenMs,
      signal: how.signal,
      giveUp: () => client.disconnect(),
      onTimeout: () => timeoutError({ cluster: definition.name, endpoint: target.endpoint }),
    });
  } catch (error) {
    throw redisError(error, target, definition.name);
  } finally {
    client.disconnect();
    await lost;
  }

  async function examine(): Promise<void> {
    await client.ping();
    list.pass('definition', 'ok');
    list.pass('reachable', `${target.endpoint}, ${Math.round(performance.now() - began)} ms to log in`);
    list.pass('credentials', target.password === null ? 'none needed' : 'accepted');
    list.pass('place', `database ${target.db}`);
    await examineServer(client, list);
    await examineKeys(client, definition, list);
    await listen(client, target, definition, how, list);
  }
}

/** A result backend that can be read: whether it can be reached. @throws BrokerError */
export async function examineResults(
  target: RedisTarget,
  cluster: string,
  how: Pick<How, 'signal' | 'timeoutMs'>,
  list: Checklist,
): Promise<void> {
  const { signal, timeoutMs } = how;
  const { client, lost } = await connectRedis(target, { cluster, clientName: 'meadow doctor', timeoutMs, signal });
  client.disconnect();
  await lost;
  list.pass('result-backend', target.endpoint);
}

async function examineServer(client: Redis, list: Checklist): Promise<void> {
  const info = await client.info('server').catch(() => '');
  const version = /redis_version:(\S+)/.exec(info)?.[1];
  if (version === undefined) list.unknown('version', 'INFO is not allowed to this user');
  else if (Number.parseInt(version, 10) < OLDEST_REDIS) {
    list.warn('version', `Redis ${version}`, `use Redis ${OLDEST_REDIS} or newer`);
  } else list.pass('version', `Redis ${version}`);

  const policy = await setting(client, 'maxmemory-policy');
  const most = await setting(client, 'maxmemory');
  if (policy === null)
    list.unknown('eviction', 'CONFIG is not allowed: a managed Redis shows it in its console', 'it must be noeviction');
  else if (policy === 'noeviction' || most === '0')
    list.pass('eviction', most === '0' ? 'maxmemory is not set' : policy);
  else
    list.fail(
      'eviction',
      `maxmemory-policy is ${policy}: a full Redis drops queues and results`,
      'CONFIG SET maxmemory-policy noeviction',
    );

  const limits = await setting(client, 'client-output-buffer-limit');
  const [, hard, soft, seconds] = /pubsub (\d+) (\d+) (\d+)/.exec(limits ?? '') ?? [];
  if (hard === undefined) list.unknown('pubsub-buffer', 'CONFIG is not allowed', `ask for: ${ROOMY}`);
  else {
    const says = `${mib(hard)} hard, ${mib(soft)} for ${seconds} s`;
    const tight = [hard, soft].some((bytes) => Number(bytes) > 0 && Number(bytes) < LEAST_PUBSUB_BUFFER);
    if (tight)
      list.warn('pubsub-buffer', `${says}: a collector held up for a moment is cut off, and events are lost`, ROOMY);
    else list.pass('pubsub-buffer', says);
  }
}

/** What lies in the database: kombu's queue keys and the reply queues that nobody reads any more. */
async function examineKeys(client: Redis, definition: ClusterDefinition, list: Checklist): Promise<void> {
  const prefix = definition.transportOptions.global_keyprefix ?? '';
  const steps = new Set<string>();
  const replies: string[] = [];
  let seen = 0;
  try {
    let cursor = '0';
    do {
      const [next, keys] = await client.scan(cursor, 'COUNT', 1000);
      cursor = next;
      seen += keys.length;
      for (const key of keys) {
        const at = key.lastIndexOf(PRIORITY_SEPARATOR);
        if (at > 0) steps.add(key.slice(at + PRIORITY_SEPARATOR.length));
        if (key.startsWith(prefix) && key.endsWith('.reply.celery.pidbox')) replies.push(key);
      }
    } while (cursor !== '0' && seen < SCANNED_KEYS);
  } catch {
    list.unknown('priority-steps', 'SCAN is not allowed to this user');
    list.unknown('reply-queues', 'SCAN is not allowed to this user');
    return;
  }
  const part = seen >= SCANNED_KEYS ? ` among the first ${seen} keys` : '';
  const found = [...steps].map(Number).sort((a, b) => a - b);
  list.pass(
    'priority-steps',
    found.length === 0 ? `no message waits at a lower priority${part}` : `0, ${found.join(', ')} in use${part}`,
  );
  if (replies.length === 0) list.pass('reply-queues', `none${part}`);
  else {
    list.warn(
      'reply-queues',
      `${replies.length}${part}, e.g. ${replies[0]}: replies to inspect calls whose caller is gone`,
      `when no celery inspect or control runs: redis-cli --scan --pattern '${prefix}*.reply.celery.pidbox' | xargs redis-cli unlink`,
    );
  }
}

async function listen(
  client: Redis,
  target: RedisTarget,
  definition: ClusterDefinition,
  { hearing, listenMs, signal }: How,
  list: Checklist,
): Promise<void> {
  const { eventExchange: exchange, transportOptions } = definition;
  const behindSentinel = target.address.kind === 'sentinel';
  const patterns = eventPatterns({ db: target.db, exchange, transportOptions, behindSentinel });
  client.on('pmessageBuffer', (_pattern: string, _channel: unknown, payload: Buffer) => hearing?.redis(payload));
  await client.psubscribe(...patterns);
  list.pass('permissions', 'may subscribe');
  if (hearing === null) return list.pass('event-exchange', patterns.join(', '));
  await delay(listenMs, undefined, { signal });
  if (hearing.messages > 0) return list.pass('event-exchange', `${patterns.join(', ')}: ${hearing.messages} messages`);
  list.warn(
    'event-exchange',
    `nothing came on ${patterns.join(', ')} in ${listenMs / 1000} s`,
    "check the database, eventExchange and transportOptions against the application's broker_url, event_exchange and broker_transport_options",
  );
}

async function setting(client: Redis, name: string): Promise<string | null> {
  const reply: unknown = await client.config('GET', name).catch(() => null);
  return Array.isArray(reply) && typeof reply[1] === 'string' ? reply[1] : null;
}

function mib(bytes: string | undefined): string {
  return bytes === '0' ? 'no limit' : `${Math.round(Number(bytes) / (1024 * 1024))} MiB`;
}
