import { CeleryDecodeError, decodeRedisEnvelope } from '@meadow/celery';
import { Buffer } from 'node:buffer';

interface Span {
  readonly begin: number;
  readonly end: number;
}

/**
 * kombu's Redis envelope as if it had been published straight to another queue: `properties.delivery_info` names that queue,
 * every other byte is as it was. With the old address a worker that gives the message back would put it into the old queue.
 *
 * Null for what is no envelope or lacks a part without which a worker's kombu ends: that is better not handed to anybody.
 */
export function redirected(payload: Buffer, queue: string): Buffer | null {
  // one character a byte, so that what is no UTF-8 stays as it is; all that is looked for is ASCII
  const text = payload.toString('latin1');
  const properties = member(text, { begin: 0, end: text.length }, 'properties');
  const info = properties && member(text, properties, 'delivery_info');
  const exchange = info && member(text, info, 'exchange');
  const routingKey = info && member(text, info, 'routing_key');
  if (!exchange || !routingKey) return null;
  const changes = [
    { ...exchange, value: '""' },
    { ...routingKey, value: asciiJson(queue) },
  ].toSorted((a, b) => b.begin - a.begin);
  let anew = text;
  for (const { begin, end, value } of changes) anew = anew.slice(0, begin) + value + anew.slice(end);
  const made = Buffer.from(anew, 'latin1');
  return isAddressedTo(made, queue) ? made : null;
}

function isAddressedTo(payload: Buffer, queue: string): boolean {
  try {
    const { properties } = decodeRedisEnvelope(payload);
    const { delivery_info: info, delivery_tag: tag } = properties;
    if (typeof info !== 'object' || info === null || Array.isArray(info)) return false;
    return info['exchange'] === '' && info['routing_key'] === queue && typeof tag === 'string' && tag !== '';
  } catch (error) {
    if (!(error instanceof CeleryDecodeError)) throw error;
    return false;
  }
}

const STRUCTURE = /"[^"\\]*(?:\\[^][^"\\]*)*"|[{}[\],:]/g;

/** Where the value of a member lies in the object at `span`; the last one of a name counts, as for Python. */
function member(text: string, span: Span, name: string): Span | null {
  if (text[skipBlanks(text, span.begin)] !== '{') return null;
  let depth = 0;
  let lastText = '';
  let key: string | null = null;
  let begin = -1;
  let found: Span | null = null;
  STRUCTURE.lastIndex = span.begin;
  for (let match = STRUCTURE.exec(text); match !== null && match.index < span.end; match = STRUCTURE.exec(text)) {
    const [token] = match;
    if (depth === 1 && begin >= 0 && (token === ',' || token === '}')) {
      if (key === name) found = { begin, end: begin + text.slice(begin, match.index).trimEnd().length };
      begin = -1;
    }
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (token === ':' && depth === 1) {
      key = keyOf(lastText);
      begin = skipBlanks(text, match.index + 1);
    } else if (token.startsWith('"') && begin < 0) lastText = token;
    if (depth === 0) break;
  }
  return found;
}

function keyOf(literal: string): string | null {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return null;
  }
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
  return at;
}

/** As Python writes it: nothing but ASCII. */
function asciiJson(value: string): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
