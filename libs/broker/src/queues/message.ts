import {
  CeleryDecodeError,
  decodeTaskMessage,
  stringifyPythonJson,
  taskHeaders,
  type CeleryDecodeErrorCode,
  type Envelope,
  type JsonValue,
  type TaskHeaders,
} from '@meadow/celery';

/** A message that waits, as far as it can be read. Texts are cut, as anybody may have written them. */
export interface WaitingMessage {
  /** Among all that wait in the queue; 0 is next. */
  readonly position: number;
  /** Names this message to `remove`. Null on RabbitMQ. */
  readonly handle: string | null;
  /** Redis: of the envelope. RabbitMQ: of the body. */
  readonly bytes: number;
  /** As the message says; on Redis 0 is served first, on RabbitMQ last. */
  readonly priority: number | null;
  readonly contentType: string | null;
  readonly contentEncoding: string | null;
  readonly compression: string | null;
  /** Handed out before: to a worker that is gone, or to somebody who looked. */
  readonly redelivered: boolean;
  /** How often a quorum queue has handed it out before; null for other queues. */
  readonly deliveries: number | null;
  /** Unix seconds, by its publisher's word. Celery itself does not say. */
  readonly sentAt: number | null;
  /** Null when not even these can be read. */
  readonly task: TaskHeaders | null;
  readonly args: ShownText | null;
  readonly kwargs: ShownText | null;
  /** Why the arguments, or all of it, are not told; null when they are. */
  readonly problem: { readonly code: CeleryDecodeErrorCode | 'QUEUE_PEEK_BOUND'; readonly says: string } | null;
}

/** JSON as Python writes it. */
export interface ShownText {
  readonly text: string;
  readonly cut: boolean;
}

/** What a broker says of a message without its being decoded. */
type MessageFacts = Pick<WaitingMessage, 'position' | 'handle' | 'bytes'>;

/** A message whose bytes are too many to be read here: what else is known of it. */
export function unreadMessage(facts: MessageFacts, says: string): WaitingMessage {
  return { ...facts, ...NOTHING, problem: { code: 'QUEUE_PEEK_BOUND', says } };
}

const NOTHING = {
  ...{ priority: null, contentType: null, contentEncoding: null, compression: null, redelivered: false },
  ...{ deliveries: null, sentAt: null, task: null, args: null, kwargs: null },
} as const;

/** Arguments are shown up to so many characters. */
const MOST_CHARS = 4_000;
/** Celery cuts the reprs among the headers near 1,035. */
const MOST_HEADER_CHARS = 1_100;
/**
 * Decoding one page may take so long. A few bytes may hold megabytes, and a page of such messages would hold up the process
 * for minutes.
 */
const DECODE_MS = 500;

/** Reads the messages of one page; never throws for what they hold. */
export class MessageReader {
  readonly #untilMs = performance.now() + DECODE_MS;

  read(facts: MessageFacts, open: () => Envelope): WaitingMessage {
    if (performance.now() > this.#untilMs) return unreadMessage(facts, 'the messages before it took long to decode');
    let message: WaitingMessage = { ...facts, ...NOTHING, problem: null };
    try {
      const envelope = open();
      message = { ...message, ...outside(envelope) };
      const headers = taskHeaders(envelope);
      if (headers !== null) message = { ...message, task: cutHeaders(headers) };
      const { args, kwargs, embed: _, signer: __, ...told } = decodeTaskMessage(envelope);
      return { ...message, task: cutHeaders(told), args: shown(args), kwargs: shown(kwargs) };
    } catch (error) {
      if (!(error instanceof CeleryDecodeError)) throw error;
      return { ...message, problem: { code: error.code, says: error.message } };
    }
  }
}

function outside({ contentType, contentEncoding, headers, properties }: Envelope): Partial<WaitingMessage> {
  const info = properties['delivery_info'];
  const redelivered =
    typeof info === 'object' && info !== null && 'redelivered' in info && info['redelivered'] === true;
  const { compression } = headers;
  return {
    contentType: cut(contentType),
    contentEncoding: cut(contentEncoding),
    compression: typeof compression === 'string' ? cut(compression) : null,
    priority: whole(properties['priority']),
    redelivered: redelivered || headers['redelivered'] === true,
    deliveries: whole(headers['x-delivery-count']),
    sentAt: sentAt({ headers, properties }),
  };
}

/** Unix seconds at which the publisher says that it sent the message; null when it does not, as Celery's own do not. */
export function sentAt({ headers, properties }: Pick<Envelope, 'headers' | 'properties'>): number | null {
  for (const said of [properties['timestamp'], headers['timestamp'], headers['timestamp_in_ms']]) {
    if (typeof said !== 'number' || !(said > 1e9)) continue;
    const seconds = said > 1e11 ? said / 1000 : said;
    // what lies in the future is something else
    if (seconds < Date.now() / 1000 + 60) return seconds;
  }
  return null;
}

function shown(value: JsonValue): ShownText {
  const text = stringifyPythonJson(value);
  return { text: text.slice(0, MOST_CHARS), cut: text.length > MOST_CHARS };
}

function cutHeaders(headers: TaskHeaders): TaskHeaders {
  const { id, task, shadow, eta, expires, rootId, parentId, group, argsrepr, kwargsrepr, origin } = headers;
  return {
    ...headers,
    ...{ id: cutText(id), task: cutText(task), shadow: cut(shadow), eta: cut(eta), expires: cut(expires) },
    ...{ rootId: cut(rootId), parentId: cut(parentId), group: cut(group), origin: cut(origin) },
    ...{ argsrepr: cut(argsrepr), kwargsrepr: cut(kwargsrepr) },
  };
}

const cut = (text: string | null): string | null => (text === null ? null : cutText(text));

function cutText(text: string): string {
  return text.length <= MOST_HEADER_CHARS ? text : `${text.slice(0, MOST_HEADER_CHARS)}…`;
}

function whole(value: JsonValue | undefined): number | null {
  return typeof value === 'number' && Number.isInteger(value) ? value : null;
}
