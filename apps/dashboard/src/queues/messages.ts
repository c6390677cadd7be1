import type { QueueMessages } from '@meadow/api';
import type { WaitingMessage } from '@meadow/contract';

/** What looks at a queue have shown so far, the first message first. */
export interface Seen {
  readonly messages: readonly WaitingMessage[];
  /** Messages that waited at the newest look. */
  readonly ready: number;
  /** The look took them out and put them back. */
  readonly requeues: boolean;
  /** Of the newest look, Unix seconds. */
  readonly at: number;
  /** Where to look on; null when there is no more to be seen. */
  readonly next: number | null;
}

/** Messages that are asked for at a time. */
export const PAGE = 20;
/** So far into a queue a look may begin on Redis; on RabbitMQ all before are taken out too, so that it may reach only so far. */
const FARTHEST = { list: 10_000, requeued: 200 - PAGE } as const;

/** Lays another look behind those before. While a queue moves on, a message may be met again further ahead: it stays once. */
export function seenMore(before: Seen | null, told: QueueMessages): Seen {
  const known = new Set(before?.messages.map(messageKey));
  const messages = [...(before?.messages ?? []), ...told.messages.filter((message) => !known.has(messageKey(message)))];
  const last = told.messages.at(-1)?.position;
  const next = last === undefined ? null : last + 1;
  const more = next !== null && next < told.ready && next <= FARTHEST[told.requeues ? 'requeued' : 'list'];
  return { messages, ready: told.ready, requeues: told.requeues, at: told.at, next: more ? next : null };
}

/** What is left to be shown when a message was removed. */
export function seenWithout(seen: Seen, handle: string): Seen {
  const messages = seen.messages.filter((message) => message.handle !== handle);
  return { ...seen, messages, ready: Math.max(0, seen.ready - (seen.messages.length - messages.length)) };
}

/** RabbitMQ's messages have no name: there the place is all there is. */
export function messageKey({ handle, position }: WaitingMessage): string {
  return handle ?? String(position);
}

/** What a message is called: its task, else why that is not known. */
export function messageName({ task, problem }: WaitingMessage): string {
  return task?.shadow ?? task?.task ?? (problem === null ? 'no task' : 'cannot be read');
}

/** The arguments as one would write them in a call, in one line. */
export function callLine({ args, kwargs }: WaitingMessage): string {
  const inner = (text: string): string => text.replace(/^[[{]([^]*)[\]}]$/, '$1').trim();
  return [args, kwargs]
    .flatMap((part) => (part === null ? [] : [`${inner(part.text)}${part.cut ? '…' : ''}`]))
    .filter((text) => text !== '')
    .join(', ');
}
