import type { JsonObject } from '@meadow/celery';
import { BrokerError } from '../errors.ts';
import { numberAt, textAt, valueAt, type Management } from './management.ts';
import type { ServerAlarm, ServerFact, ServerNode } from '@meadow/contract';
import type { ServerLook } from './port.ts';

const NOT_OF_RABBITMQ = ['waiting', 'operations', 'evictionPolicy', 'evictedKeys', 'rejectedConnections'] as const;

/** Everything that is null here, with the reason; what the caller knows is laid over it. */
function nothingKnown(reason: string): Omit<ServerLook, 'source' | 'degraded'> {
  const facts = {
    ...{ product: null, version: null, uptimeSeconds: null, connections: null, waiting: null, channels: null },
    ...{ consumers: null, queues: null, unacked: null, unackedSince: null },
    ...{ memoryUsedBytes: null, memoryLimitBytes: null },
    ...{ diskFreeBytes: null, diskLimitBytes: null, operations: null, rates: null, role: null, replicas: null },
    ...{ evictionPolicy: null, evictedKeys: null, rejectedConnections: null, nodes: null, alarms: null },
  } satisfies Record<ServerFact, null>;
  const unknown: Partial<Record<ServerFact, string>> = {};
  for (const fact of Object.keys(facts) as ServerFact[]) unknown[fact] = reason;
  for (const fact of NOT_OF_RABBITMQ) unknown[fact] = 'RabbitMQ has no such figure';
  for (const fact of ['unackedSince', 'role', 'replicas'] as const)
    unknown[fact] = 'RabbitMQ does not tell it for a broker';
  return { kind: 'amqp', ...facts, unknown };
}

/** Lays what is known over what is not. */
function known<Facts extends Pick<ServerLook, 'unknown'>>(all: Facts, told: Partial<ServerLook>): Facts {
  const unknown = Object.entries(all.unknown).filter(([fact]) => (told[fact as ServerFact] ?? null) === null);
  return { ...all, ...told, unknown: Object.fromEntries(unknown) };
}

/** @param handshake what the broker says of itself on the connection, for when the management API does not answer */
export async function amqpFacts(
  management: Management,
  signal: AbortSignal,
  handshake: () => Promise<{ readonly product: string; readonly version: string }>,
): Promise<ServerLook> {
  let overview: JsonObject;
  try {
    overview = await management.overview(signal);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    const { product, version } = await handshake();
    const all = nothingKnown(`only the management api tells: ${error.message}`);
    return { ...known(all, { product, version }), source: 'amqp', degraded: error };
  }
  const rate = (what: string): number | null => numberAt(overview, 'message_stats', `${what}_details`, 'rate');
  const rates = {
    published: rate('publish'),
    delivered: rate('deliver_get'),
    acknowledged: rate('ack'),
    redelivered: rate('redeliver'),
  };
  const total = (what: string): number | null => numberAt(overview, 'object_totals', what);
  const all = known(nothingKnown('the management api does not tell it to this user'), {
    product: textAt(overview, 'product_name') ?? 'RabbitMQ',
    version: textAt(overview, 'rabbitmq_version'),
    ...{ connections: total('connections'), channels: total('channels') },
    ...{ consumers: total('consumers'), queues: total('queues') },
    unacked: numberAt(overview, 'queue_totals', 'messages_unacknowledged'),
    rates: Object.values(rates).every((value) => value === null) ? null : rates,
  });
  try {
    return { ...known(all, ofNodes(await management.nodes(signal))), source: 'management', degraded: null };
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    const unknown = { ...all.unknown };
    const ofNode = ['uptimeSeconds', 'memoryUsedBytes', 'memoryLimitBytes', 'diskFreeBytes', 'diskLimitBytes'] as const;
    for (const fact of [...ofNode, 'nodes', 'alarms'] as const) unknown[fact] = error.message;
    return { ...all, unknown, source: 'management', degraded: error };
  }
}

function ofNodes(told: readonly JsonObject[]): Partial<ServerLook> {
  const nodes = told.map(nodeIn);
  const least = (values: (number | null)[]): number | null => {
    const numbers = values.filter((value) => value !== null);
    return numbers.length === 0 ? null : Math.min(...numbers);
  };
  // the node that is nearest to its limit stops the whole cluster
  const fullest = nodes.toSorted((a, b) => share(b) - share(a))[0];
  const tightest = nodes.toSorted((a, b) => room(a) - room(b))[0];
  return {
    ...{ nodes, alarms: told.flatMap(alarmsIn) },
    uptimeSeconds: least(nodes.map(({ uptimeSeconds }) => uptimeSeconds)),
    ...{ memoryUsedBytes: fullest?.memoryUsedBytes ?? null, memoryLimitBytes: fullest?.memoryLimitBytes ?? null },
    ...{ diskFreeBytes: tightest?.diskFreeBytes ?? null, diskLimitBytes: tightest?.diskLimitBytes ?? null },
  };
}

const share = ({ memoryUsedBytes, memoryLimitBytes }: ServerNode): number =>
  (memoryUsedBytes ?? 0) / Math.max(1, memoryLimitBytes ?? Infinity);
const room = ({ diskFreeBytes, diskLimitBytes }: ServerNode): number =>
  (diskFreeBytes ?? Infinity) - (diskLimitBytes ?? 0);

function nodeIn(node: JsonObject): ServerNode {
  const uptimeMs = numberAt(node, 'uptime');
  return {
    name: textAt(node, 'name') ?? '',
    running: valueAt(node, ['running']) === true,
    uptimeSeconds: uptimeMs === null ? null : uptimeMs / 1000,
    ...{ memoryUsedBytes: numberAt(node, 'mem_used'), memoryLimitBytes: numberAt(node, 'mem_limit') },
    ...{ diskFreeBytes: numberAt(node, 'disk_free'), diskLimitBytes: numberAt(node, 'disk_free_limit') },
    ...{ fileDescriptors: numberAt(node, 'fd_used'), fileDescriptorLimit: numberAt(node, 'fd_total') },
  };
}

function alarmsIn(node: JsonObject): ServerAlarm[] {
  const name = textAt(node, 'name') ?? 'a node';
  const alarms: ServerAlarm[] = [];
  if (valueAt(node, ['running']) !== true) {
    alarms.push({ alarm: 'node-down', says: `${name} does not run` });
  }
  if (valueAt(node, ['mem_alarm']) === true) {
    alarms.push({ alarm: 'memory', says: `${name} is above its memory limit: whoever publishes is held up` });
  }
  if (valueAt(node, ['disk_free_alarm']) === true) {
    alarms.push({ alarm: 'disk', says: `${name} is below its limit of free disk: whoever publishes is held up` });
  }
  const partitions = valueAt(node, ['partitions']);
  if (Array.isArray(partitions) && partitions.length > 0) {
    const others = partitions.filter((each) => typeof each === 'string').join(', ');
    alarms.push({ alarm: 'partition', says: `${name} is cut off from ${others}` });
  }
  return alarms;
}
