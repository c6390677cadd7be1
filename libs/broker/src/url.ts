import type { ClusterDefinition } from '@meadow/contract';
import { BrokerConfigError, type BrokerErrorCode } from './errors.ts';
import { maskUrl } from './mask-url.ts';
import { splitUrl, UrlFault, type UrlParts } from './split-url.ts';

/** How to speak TLS. Files are read on each connection, so a renewed certificate is picked up. */
export interface BrokerTls {
  /** Whether the broker's certificate must be signed by `ca`, or a public authority. On unless told otherwise. */
  readonly verify: boolean;
  /** Whether its name must be the host's. */
  readonly checkHostname: boolean;
  /** PEM text or path. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

interface Target {
  readonly username: string | null;
  readonly password: string | null;
  readonly tls: BrokerTls | null;
  /** For people: the address with the password masked. */
  readonly endpoint: string;
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export interface SentinelAddress {
  readonly kind: 'sentinel';
  readonly sentinels: readonly HostPort[];
  readonly masterName: string;
  readonly username: string | null;
  readonly password: string | null;
  readonly tls: boolean;
}

export interface RedisTarget extends Target {
  readonly address:
    ({ readonly kind: 'tcp' } & HostPort) | { readonly kind: 'socket'; readonly path: string } | SentinelAddress;
  readonly db: number;
}

export interface AmqpTarget extends Target, HostPort {
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
}

/** A broker, tried target by target: kombu's failover list. Never empty. */
export type Broker =
  | { readonly kind: 'redis'; readonly targets: readonly [RedisTarget, ...RedisTarget[]] }
  | { readonly kind: 'amqp'; readonly targets: readonly [AmqpTarget, ...AmqpTarget[]] };

export type BrokerDefinition = Pick<ClusterDefinition, 'broker'> &
  Partial<Pick<ClusterDefinition, 'name' | 'transportOptions' | 'tls'>>;

const AMQP_SCHEMES = new Set(['amqp', 'amqps', 'pyamqp', 'librabbitmq']);
const REDIS_SCHEMES = new Set(['redis', 'rediss', 'redis+socket']);
/** Celery can use these as brokers, but no events travel over them that another program could hear. */
const WITHOUT_EVENTS = new Set([
  ...['sqs', 'memory', 'filesystem', 'sqla', 'sqlalchemy', 'kafka', 'confluentkafka', 'azurestoragequeues'],
  ...['azureservicebus', 'gcpubsub', 'mongodb', 'qpid', 'consul', 'etcd', 'zookeeper', 'pyro', 'slmq', 'django'],
]);

type Fail = (code: BrokerErrorCode, problem: string, remedy: string) => never;

/**
 * Reads kombu's URL forms, with the transport options that belong to them, by kombu's rules.
 * @throws BrokerConfigError naming the value and the remedy, never the password
 */
export function parseBrokerUrl(definition: BrokerDefinition): Broker {
  const facts = { cluster: definition.name ?? '', endpoint: maskUrl(definition.broker) };
  const fail: Fail = (code, problem, remedy) => {
    throw new BrokerConfigError(code, facts, problem, remedy);
  };
  const [first = '', ...others] = definition.broker
    .split(';')
    .map((url) => url.trim())
    .filter((url) => url !== '');
  const parts = [first, ...others].map((url) => split(url, fail));
  const [head] = parts;
  if (head === undefined || first === '') return fail('BROKER_URL_INVALID', 'it is empty', 'write redis://host:6379/0');
  if (head.scheme === 'sentinel') {
    return { kind: 'redis', targets: [sentinelTarget(parts, head, definition, fail)] };
  }
  if (REDIS_SCHEMES.has(head.scheme)) {
    const [target, ...rest] = parts.map((one) => redisTarget(one, definition, fail));
    if (target !== undefined) return { kind: 'redis', targets: [target, ...rest] };
  }
  const [target, ...rest] = parts.map((one) => amqpTarget(one, definition, fail));
  if (target === undefined) return fail('BROKER_URL_INVALID', 'it is empty', 'write amqp://host:5672//');
  return { kind: 'amqp', targets: [target, ...rest] };
}

function split(url: string, fail: Fail): UrlParts {
  let parts: UrlParts;
  try {
    parts = splitUrl(url);
  } catch (error) {
    if (!(error instanceof UrlFault)) throw error;
    return fail('BROKER_URL_INVALID', 'the url cannot be read', error.message);
  }
  const family = parts.scheme.replace(/\+.*/, '');
  if (WITHOUT_EVENTS.has(parts.scheme) || WITHOUT_EVENTS.has(family)) {
    const remedy = 'only redis, sentinel and amqp brokers carry events; remove this cluster';
    return fail('BROKER_SCHEME_UNSUPPORTED', `${parts.scheme} has no event stream`, remedy);
  }
  if (!AMQP_SCHEMES.has(parts.scheme) && !REDIS_SCHEMES.has(parts.scheme) && parts.scheme !== 'sentinel') {
    const remedy =
      parts.scheme === 'unix'
        ? 'write redis+socket:///path/to/redis.sock'
        : 'use redis, rediss, redis+socket, sentinel, amqp, amqps or pyamqp';
    return fail('BROKER_SCHEME_UNKNOWN', `the scheme "${parts.scheme}" is unknown`, remedy);
  }
  if (parts.host.includes(',')) {
    return fail('BROKER_URL_INVALID', `"${parts.host}" is no host`, 'join several brokers with ";", each a full url');
  }
  return parts;
}

function redisTarget(parts: UrlParts, definition: BrokerDefinition, fail: Fail): RedisTarget {
  sameFamily(REDIS_SCHEMES.has(parts.scheme), parts, fail);
  const credentials = { username: parts.username, password: parts.password };
  const auth = authText(parts);
  if (parts.scheme === 'redis+socket') {
    const path = `/${parts.path}`;
    if (path === '/')
      return fail('BROKER_URL_INVALID', 'no socket is named', 'write redis+socket:///path/to/redis.sock');
    const db = databaseOf(parts.query.get('virtual_host') ?? '', fail);
    const password = parts.password ?? parts.query.get('password') ?? null;
    const endpoint = `redis+socket://${auth}${path}?virtual_host=${db}`;
    return { ...credentials, password, address: { kind: 'socket', path }, db, tls: null, endpoint };
  }
  const tls = tlsOf(parts, definition, parts.scheme === 'rediss', fail);
  const address = { kind: 'tcp' as const, host: parts.host || 'localhost', port: parts.port ?? 6379 };
  const db = databaseOf(parts.path, fail);
  const endpoint = `${tls === null ? 'redis' : 'rediss'}://${auth}${hostPort(address)}/${db}`;
  return { ...credentials, address, db, tls, endpoint };
}

/** As kombu does it, database and password come from the first url only. */
function sentinelTarget(
  all: readonly UrlParts[],
  head: UrlParts,
  definition: BrokerDefinition,
  fail: Fail,
): RedisTarget {
  for (const parts of all) sameFamily(parts.scheme === 'sentinel', parts, fail);
  const options = definition.transportOptions ?? {};
  const masterName = options.master_name;
  if (masterName === undefined || masterName === '') {
    const remedy = 'set transportOptions.master_name to the name the sentinels give their master';
    return fail('BROKER_OPTION_INVALID', 'sentinel needs the name of the master', remedy);
  }
  const extra = options.sentinel_kwargs ?? {};
  const text = (key: string): string | null => (typeof extra[key] === 'string' ? extra[key] : null);
  const sentinels = all.map((parts) => ({ host: parts.host || 'localhost', port: parts.port ?? 26_379 }));
  const db = databaseOf(head.path, fail);
  return {
    username: head.username,
    password: head.password,
    address: {
      kind: 'sentinel',
      sentinels,
      masterName,
      username: text('username'),
      password: text('password'),
      tls: extra['ssl'] === true,
    },
    db,
    tls: tlsOf(head, definition, false, fail),
    endpoint: `sentinel://${authText(head)}${sentinels.map(hostPort).join(',')}/${db}#${masterName}`,
  };
}

function amqpTarget(parts: UrlParts, definition: BrokerDefinition, fail: Fail): AmqpTarget {
  sameFamily(AMQP_SCHEMES.has(parts.scheme), parts, fail);
  const tls = tlsOf(parts, definition, parts.scheme === 'amqps', fail);
  const address = { host: parts.host || 'localhost', port: parts.port ?? (tls === null ? 5672 : 5671) };
  const vhost = parts.path === '' ? '/' : parts.path;
  const username = parts.username ?? 'guest';
  const user = parts.username === null ? '' : `${encodeURIComponent(username)}${parts.password === null ? '' : ':**'}@`;
  const path = vhost === '/' ? '/' : encodeURIComponent(vhost);
  const endpoint = `${tls === null ? 'amqp' : 'amqps'}://${user}${hostPort(address)}/${path}`;
  return { ...address, username, password: parts.password ?? 'guest', vhost, tls, endpoint };
}

function sameFamily(same: boolean, parts: UrlParts, fail: Fail): void {
  if (same) return;
  fail(
    'BROKER_URL_INVALID',
    `"${parts.scheme}" cannot stand in this list`,
    'all urls of one cluster name one kind of broker',
  );
}

function hostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function authText({ username, password }: UrlParts): string {
  if (username === null && password === null) return '';
  return `${encodeURIComponent(username ?? '')}${password === null ? '' : ':**'}@`;
}

function databaseOf(path: string, fail: Fail): number {
  const text = path.replace(/^\/+|\/+$/g, '');
  if (text === '') return 0;
  if (/^\d{1,6}$/.test(text)) return Number(text);
  return fail('BROKER_DB_INVALID', `the database "${text}" is no number`, 'end the url with /0, or another number');
}

const CERT_REQS: Readonly<Record<string, boolean>> = {
  required: true,
  optional: true,
  none: false,
  CERT_REQUIRED: true,
  CERT_OPTIONAL: true,
  CERT_NONE: false,
};

function tlsOf(parts: UrlParts, definition: BrokerDefinition, byScheme: boolean, fail: Fail): BrokerTls | null {
  const own = definition.tls;
  if (!byScheme && own === undefined) return null;
  const wanted = parts.query.get('ssl_cert_reqs');
  const required = wanted === undefined ? true : CERT_REQS[wanted];
  if (required === undefined) {
    return fail('BROKER_OPTION_INVALID', `ssl_cert_reqs "${wanted}" is unknown`, 'use required, optional or none');
  }
  return {
    verify: required && own?.verify !== false,
    checkHostname: !/^(false|0|no)$/i.test(parts.query.get('ssl_check_hostname') ?? ''),
    ca: own?.ca ?? parts.query.get('ssl_ca_certs') ?? null,
    cert: own?.cert ?? parts.query.get('ssl_certfile') ?? null,
    key: own?.key ?? parts.query.get('ssl_keyfile') ?? null,
  };
}
