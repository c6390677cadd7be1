import { CeleryDecodeError, parsePythonJson, type JsonObject, type JsonValue } from '@meadow/celery';
import { Buffer } from 'node:buffer';
import { request as plainRequest, type IncomingMessage } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { rootCertificates, type ConnectionOptions } from 'node:tls';
import { BrokerError, type BrokerErrorCode } from '../errors.ts';
import { networkError } from '../network-error.ts';
import { tlsOptions } from '../tls-options.ts';
import type { AmqpTarget } from '../url.ts';
import type { QueuesDefinition } from './port.ts';

/** Where a management API is, and as whom it is asked. */
interface Place {
  readonly url: URL;
  readonly username: string;
  readonly password: string;
  /** For people, without the password. */
  readonly endpoint: string;
  readonly target: AmqpTarget;
}

/** Of ten thousand queues. */
const MOST_BYTES = 32 * 1024 * 1024;

const QUEUE_COLUMNS = [
  ...['name', 'type', 'exclusive', 'messages_ready', 'messages_unacknowledged', 'consumers', 'message_bytes_ready'],
  ...['head_message_timestamp', 'message_stats.publish_details.rate', 'message_stats.deliver_get_details.rate'],
  ...['message_stats.ack_details.rate', 'message_stats.redeliver_details.rate'],
];

/**
 * RabbitMQ's management API of one cluster, asked where the definition says, else beside each of its brokers. Each failure is
 * a `BrokerError` whose code begins with BROKER_MANAGEMENT.
 */
export class Management {
  readonly #places: readonly [Place, ...Place[]];
  readonly #cluster: string;
  readonly #timeoutMs: number;
  /** The one that answered last. */
  #place = 0;

  constructor(definition: QueuesDefinition, targets: readonly [AmqpTarget, ...AmqpTarget[]], timeoutMs: number) {
    const [target, ...others] = targets;
    const { management } = definition;
    this.#places =
      management === undefined
        ? [placeBeside(target), ...others.map(placeBeside)]
        : [placeAt(new URL(management), target)];
    this.#cluster = definition.name;
    this.#timeoutMs = timeoutMs;
  }

  /** The virtual host's queues, with what is known of each. */
  async queues(signal: AbortSignal): Promise<readonly JsonObject[]> {
    const columns = QUEUE_COLUMNS.join(',');
    return objects(await this.#ask(({ vhost }) => `queues/${encodeURIComponent(vhost)}?columns=${columns}`, signal));
  }

  /** The whole broker; a user without the tag `monitoring` sees part of it. */
  async overview(signal: AbortSignal): Promise<JsonObject> {
    const [overview = {}] = objects([await this.#ask(() => 'overview', signal)]);
    return overview;
  }

  async nodes(signal: AbortSignal): Promise<readonly JsonObject[]> {
    return objects(await this.#ask(() => 'nodes', signal));
  }

  /** Asks one place after the other until one can be reached. */
  async #ask(path: (target: AmqpTarget) => string, signal: AbortSignal): Promise<JsonValue> {
    let first: BrokerError | null = null;
    for (let turn = 0; turn < this.#places.length; turn++) {
      const index = (this.#place + turn) % this.#places.length;
      const place = this.#places[index] ?? this.#places[0];
      try {
        const answer = await this.#askAt(place, path(place.target), signal);
        this.#place = index;
        return answer;
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error;
        first ??= error;
        if (!ELSEWHERE.has(error.code)) throw error;
      }
    }
    throw first ?? new TypeError('no place to ask');
  }

  async #askAt(place: Place, path: string, signal: AbortSignal): Promise<JsonValue> {
    let answer: Answer;
    try {
      answer = await this.#fetch(place, path, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw this.#unanswered(error, place);
    }
    const fail = (code: BrokerErrorCode, problem: string, remedy: string, cause?: unknown): BrokerError =>
      new BrokerError(code, { cluster: this.#cluster, endpoint: place.endpoint }, problem, remedy, cause);
    const { status, text } = answer;
    const said = `the management api answered ${status}`;
    if (status === 401 || status === 403) {
      const remedy = `run rabbitmqctl set_user_tags '${place.username}' monitoring, or give another user in management`;
      throw fail('BROKER_MANAGEMENT_AUTH_FAILED', `${said}: user "${place.username}" was refused`, remedy);
    }
    if (status >= 500) {
      throw fail('BROKER_MANAGEMENT_FAILED', said, "read the broker's log, and that of a proxy before it");
    }
    let value: JsonValue;
    try {
      value = parsePythonJson(text);
    } catch (error) {
      if (!(error instanceof CeleryDecodeError)) throw error;
      const remedy = 'check management: it must be the root of the management api, without /api';
      throw fail('BROKER_MANAGEMENT_UNREADABLE', `${said}, which is no json`, remedy, error);
    }
    if (status === 404) {
      const { vhost } = place.target;
      const remedy = `check the end of the broker's url, or run rabbitmqctl add_vhost '${vhost}'`;
      throw fail('BROKER_MANAGEMENT_VHOST_NOT_FOUND', `${said}: it knows no virtual host "${vhost}"`, remedy);
    }
    if (status !== 200)
      throw fail('BROKER_MANAGEMENT_UNREADABLE', said, 'check management: it must lead there directly');
    return value;
  }

  #unanswered(error: unknown, place: Place): BrokerError {
    const facts = { cluster: this.#cluster, endpoint: place.endpoint };
    if (error instanceof RangeError) {
      const remedy = 'there are more queues in this virtual host than Meadow looks at';
      return new BrokerError('BROKER_MANAGEMENT_UNREADABLE', facts, `it gave ${error.message}`, remedy, error);
    }
    const isTimeout = error instanceof Error && error.name === 'TimeoutError';
    const below = isTimeout ? 'BROKER_TIMEOUT' : networkError(error, facts, place.url.protocol === 'https:')?.code;
    const enable = 'run rabbitmq-plugins enable rabbitmq_management, or set management to where it is';
    if (below === 'BROKER_TIMEOUT') {
      const problem = `the management api did not answer in ${this.#timeoutMs / 1000} s`;
      return new BrokerError('BROKER_MANAGEMENT_TIMEOUT', facts, problem, `check for a firewall; ${enable}`, error);
    }
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    if (below === 'BROKER_TLS_FAILED') {
      const problem = `tls with the management api failed${code}`;
      return new BrokerError('BROKER_MANAGEMENT_TLS_FAILED', facts, problem, 'check management and tls', error);
    }
    const problem = `the management api is not reachable${code}`;
    return new BrokerError('BROKER_MANAGEMENT_UNREACHABLE', facts, problem, enable, error);
  }

  async #fetch({ url, username, password, target }: Place, path: string, signal: AbortSignal): Promise<Answer> {
    const secure = url.protocol === 'https:';
    const tls =
      secure && target.tls !== null ? await tlsOptions(target.tls, { cluster: this.#cluster, endpoint: '' }) : {};
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(this.#timeoutMs)]);
    const options = {
      signal: deadline,
      // a connection that is kept may be closed by the other side just as it is used again
      agent: false,
      headers: {
        accept: 'application/json',
        authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
      },
    };
    const at = new URL(`api/${path}`, url);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = secure
      ? tlsRequest(at, { ...options, ...trusting(tls) }, resolve)
      : plainRequest(at, options, resolve);
    // an abort tells itself as a mere "aborted"; the signal knows why
    request.on('error', (error) => reject(deadline.aborted ? deadline.reason : error));
    request.end();
    const response = await promise;
    return { status: response.statusCode ?? 0, text: await textOf(response, deadline) };
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** With these the next place may do better. */
const ELSEWHERE: ReadonlySet<BrokerErrorCode> = new Set<BrokerErrorCode>([
  ...(['BROKER_MANAGEMENT_UNREACHABLE', 'BROKER_MANAGEMENT_TIMEOUT', 'BROKER_MANAGEMENT_TLS_FAILED'] as const),
  'BROKER_MANAGEMENT_FAILED',
]);

async function textOf(response: IncomingMessage, deadline: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MOST_BYTES) throw new RangeError(`more than ${MOST_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw deadline.aborted ? deadline.reason : error;
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The cluster's own authority beside the public ones: the broker's certificate may be of the one, that of a proxy of the others. */
function trusting(tls: ConnectionOptions): ConnectionOptions {
  return typeof tls.ca === 'string' ? { ...tls, ca: [...rootCertificates, tls.ca] } : tls;
}

function placeBeside(target: AmqpTarget): Place {
  const host = target.host.includes(':') ? `[${target.host}]` : target.host;
  return placeAt(new URL(target.tls === null ? `http://${host}:15672` : `https://${host}:15671`), target);
}

function placeAt(given: URL, target: AmqpTarget): Place {
  const url = new URL(given);
  const own = url.username !== '';
  const username = own ? decoded(url.username) : target.username;
  const password = own ? decoded(url.password) : target.password;
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return { url, username, password, endpoint: url.href, target };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function objects(value: JsonValue): JsonObject[] {
  if (!Array.isArray(value)) return [];
  return value.filter((one): one is JsonObject => typeof one === 'object' && one !== null && !Array.isArray(one));
}

/** A number within nested objects; null when there is none. */
export function numberAt(from: JsonObject, ...path: readonly string[]): number | null {
  const value = valueAt(from, path);
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function textAt(from: JsonObject, ...path: readonly string[]): string | null {
  const value = valueAt(from, path);
  return typeof value === 'string' ? value : null;
}

export function valueAt(from: JsonObject, path: readonly string[]): JsonValue {
  let value: JsonValue = from;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, key)) return null;
    value = value[key] ?? null;
  }
  return value;
}
