import {
  CeleryDecodeError,
  decodeTaskMessage,
  stringifyPythonJson,
  taskHeaders,
  type Envelope,
  type JsonValue,
  type TaskHeaders,
} from '@meadow/celery';
import type { ShownText, WaitingMessage } from '@meadow/contract';

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
