import { AbstractConnector, Redis } from 'ioredis';
import { createConnection, type NetConnectOpts, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { withDeadline } from '../deadline.ts';
import { BrokerError } from '../errors.ts';
import { timeoutError } from '../network-error.ts';
import { tlsOptions } from '../tls-options.ts';
import type { HostPort, RedisTarget, SentinelAddress } from '../url.ts';
import { redisError } from './errors.ts';

export interface RedisConnectOptions {
  readonly cluster: string;
  readonly clientName: string;
  /** For the whole way: sentinels, connection, TLS, login. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Makes what reads the connection, and hands on to the client what is the client's. @default the client reads */
  readonly reader?: (toClient: (reply: Buffer) => void) => SocketReader;
}

/** Reads a socket in place of a stream of chunks. */
export interface SocketReader {
  /** Memory for the socket's next read, never empty. */
  room(): Buffer;
  /** So many bytes have come into the room given last. */
  took(bytes: number): void;
}

export interface RedisConnection {
  /** Logged in, its database selected. Does not reconnect. */
  readonly client: Redis;
  /** Resolves, never rejects, when the connection is gone: why. */
  readonly lost: Promise<BrokerError>;
  /** Where it went; behind sentinels, the master they named. Null for a unix socket. */
  readonly server: HostPort | null;
}

/**
 * Opens one connection, without any retry of its own: whoever holds it decides what a loss means.
 * @throws BrokerError
 */
export async function connectRedis(target: RedisTarget, options: RedisConnectOptions): Promise<RedisConnection> {
  const clients: Redis[] = [];
  const work = open(target, options, (client) => clients.push(client));
  try {
    return await withDeadline(work, {
      ms: options.timeoutMs,
      signal: options.signal,
      giveUp: () => clients.forEach((client) => client.disconnect()),
      onTimeout: () => timeoutError({ cluster: options.cluster, endpoint: target.endpoint }),
    });
  } catch (error) {
    clients.forEach((client) => client.disconnect());
    throw redisError(error, target, options.cluster);
  }
}

type Track = (client: Redis) => void;
/** Where a connection goes, and how. */
type Place = NetConnectOpts & { readonly tls?: ConnectionOptions; readonly commandTimeout?: number };
/** A server that does not answer our goodbye is left so soon. ioredis has the same. */
const DISCONNECT_TIMEOUT_MS = 2_000;

async function open(target: RedisTarget, options: RedisConnectOptions, track: Track): Promise<RedisConnection> {
  const facts = { cluster: options.cluster, endpoint: target.endpoint };
  const tls = target.tls === null ? null : await tlsOptions(target.tls, facts);
  const { address } = target;
  const server = address.kind === 'sentinel' ? await findMaster(target, options, track) : address;
  const place = 'path' in server ? { path: server.path } : { host: server.host, port: server.port, family: 0 };
  const { client, lost } = create(
    { ...place, ...(tls === null ? {} : { tls }) },
    target,
    options,
    track,
    options.reader,
  );
  await ready(client);
  if (target.password !== null) {
    await (target.username === null ? client.auth(target.password) : client.auth(target.username, target.password));
  }
  if (target.db !== 0) await client.select(target.db).catch(forgiveNoPermission);
  // Redis takes no name with a space
  await client.client('SETNAME', options.clientName.replaceAll(' ', '-')).catch(() => undefined);
  return { client, lost, server: 'path' in server ? null : server };
}

/** Pub/sub knows no databases, so a user who may not SELECT can still listen. */
function forgiveNoPermission(error: unknown): void {
  if (!(error instanceof Error && error.message.startsWith('NOPERM '))) throw error;
}

function create(
  place: Place,
  target: RedisTarget,
  options: RedisConnectOptions,
  track: Track,
  reader?: RedisConnectOptions['reader'],
): { client: Redis; lost: Promise<BrokerError> } {
  const client = new Redis({
    ...place,
    ...(reader === undefined ? {} : { Connector: connectorOf(place, reader) }),
    lazyConnect: true,
    retryStrategy: () => null,
    enableReadyCheck: false,
    autoResubscribe: false,
    maxRetriesPerRequest: null,
    disableClientInfo: true,
    // On a RESP2 connection messages take the shorter way through the client.
    protocol: 2,
    keepAlive: 10_000,
    connectTimeout: options.timeoutMs,
  });
  track(client);
  // ioredis emits what went wrong, then closes: the last error is the reason.
  let reason: unknown = null;
  client.on('error', (error) => {
    reason = error;
  });
  const { promise: lost, resolve } = Promise.withResolvers<BrokerError>();
  client.once('end', () => resolve(redisError(reason, target, options.cluster)));
  return { client, lost };
}

/** Connects as ioredis would, but for who reads: a socket with a reader emits no data by itself. */
function connectorOf(
  { tls, ...place }: Place,
  makeReader: NonNullable<RedisConnectOptions['reader']>,
): new () => AbstractConnector {
  return class extends AbstractConnector {
    constructor() {
      super(DISCONNECT_TIMEOUT_MS);
    }

    override connect(): Promise<Socket> {
      this.connecting = true;
      const reader = makeReader((reply) => void this.stream.emit('data', reply));
      const onread: OnReadOpts = { buffer: () => reader.room(), callback: (bytes) => (reader.took(bytes), true) };
      const options = { ...place, onread };
      this.stream = tls === undefined ? createConnection(options) : connectTls({ ...options, ...tls });
      this.stream.once('error', (error) => {
        this.firstError = error;
      });
      return Promise.resolve(this.stream);
    }
  };
}

/** `connect()` rejects with a mere "Connection is closed"; the error before it is the one that tells. */
async function ready(client: Redis): Promise<void> {
  let reason: unknown = null;
  const onError = (error: unknown): void => {
    reason ??= error;
  };
  client.on('error', onError);
  try {
    await client.connect();
  } catch (error) {
    throw reason ?? error;
  } finally {
    client.off('error', onError);
  }
}

/** Asks each sentinel in turn; the first that knows the master wins. */
async function findMaster(target: RedisTarget, options: RedisConnectOptions, track: Track): Promise<HostPort> {
  const { address } = target;
  if (address.kind !== 'sentinel') throw new TypeError('no sentinel address');
  let last: unknown = null;
  let answered = false;
  for (const sentinel of address.sentinels) {
    try {
      const master = await askSentinel(sentinel, address, target, options, track);
      if (master !== null) return master;
      answered = true;
    } catch (error) {
      last = error;
    }
  }
  const facts = { cluster: options.cluster, endpoint: target.endpoint };
  const problem = answered
    ? `no sentinel knows the master "${address.masterName}"`
    : `no sentinel answered: ${redisError(last, target, options.cluster).code}`;
  const remedy = answered
    ? 'check transportOptions.master_name'
    : 'check their addresses, and transportOptions.sentinel_kwargs.password when they ask for one';
  throw new BrokerError('BROKER_SENTINEL_FAILED', facts, problem, remedy, last);
}

async function askSentinel(
  sentinel: HostPort,
  address: SentinelAddress,
  target: RedisTarget,
  options: RedisConnectOptions,
  track: Track,
): Promise<HostPort | null> {
  const facts = { cluster: options.cluster, endpoint: target.endpoint };
  const tls = address.tls && target.tls !== null ? { tls: await tlsOptions(target.tls, facts) } : {};
  // One sentinel that hangs must leave time for the others.
  const timeoutMs = options.timeoutMs / (address.sentinels.length + 1);
  const place = { host: sentinel.host, port: sentinel.port, family: 0, commandTimeout: timeoutMs, ...tls };
  const { client } = create(place, target, { ...options, timeoutMs }, track);
  try {
    await ready(client);
    if (address.password !== null) {
      await (address.username === null
        ? client.auth(address.password)
        : client.auth(address.username, address.password));
    }
    const reply: unknown = await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', address.masterName);
    if (!Array.isArray(reply)) return null;
    return { host: String(reply[0]), port: Number(reply[1]) };
  } finally {
    client.disconnect();
  }
}

/** Where the sentinels see the master now; throws when none answers. */
export async function currentMaster(target: RedisTarget, options: RedisConnectOptions): Promise<HostPort> {
  const clients: Redis[] = [];
  try {
    return await withDeadline(
      findMaster(target, options, (client) => clients.push(client)),
      {
        ms: options.timeoutMs,
        signal: options.signal,
        giveUp: () => clients.forEach((client) => client.disconnect()),
        onTimeout: () => timeoutError({ cluster: options.cluster, endpoint: target.endpoint }),
      },
    );
  } finally {
    clients.forEach((client) => client.disconnect());
  }
}
