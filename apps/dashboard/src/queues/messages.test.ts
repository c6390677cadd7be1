import type { QueueMessages } from '@meadow/api';
import type { WaitingMessage } from '@meadow/contract';
import { expect, test } from 'vitest';
import { callLine, messageName, seenMore, seenWithout } from './messages.ts';

function message(position: number, changes: Partial<WaitingMessage> = {}): WaitingMessage {
  return {
    ...{ position, handle: `h${position}`, bytes: 100, priority: 0, contentType: null, contentEncoding: null },
    ...{ compression: null, redelivered: false, deliveries: null, sentAt: null, task: null },
    ...{ args: null, kwargs: null, problem: null },
    ...changes,
  };
}

function look(ready: number, positions: readonly number[], changes: Partial<QueueMessages> = {}): QueueMessages {
  return { messages: positions.map((at) => message(at)), ready, requeues: false, at: 5, ...changes };
}

test('looks are laid one behind the other until all was seen', () => {
  const first = seenMore(null, look(3, [0, 1]));
  expect(first).toMatchObject({ ready: 3, next: 2 });
  expect(seenMore(first, look(3, [2]))).toMatchObject({ next: null, messages: [{}, {}, {}] });
  expect(seenMore(null, look(0, []))).toMatchObject({ next: null, messages: [] });
});

test('a message that moved up while more were loaded stays once', () => {
  const first = seenMore(null, look(9, [0, 1]));
  const moved = { ...look(8, []), messages: [message(2, { handle: 'h1' }), message(3)] };
  expect(seenMore(first, moved).messages.map(({ handle }) => handle)).toEqual(['h0', 'h1', 'h3']);
});

test('where looking takes messages out it does not go far', () => {
  expect(seenMore(null, look(5_000, [180], { requeues: true })).next).toBeNull();
  expect(seenMore(null, look(5_000, [180])).next).toBe(181);
});

test('a message that was removed is neither shown nor counted', () => {
  const seen = seenMore(null, look(3, [0, 1, 2]));
  expect(seenWithout(seen, 'h1')).toMatchObject({ ready: 2, messages: [{ handle: 'h0' }, { handle: 'h2' }] });
  expect(seenWithout(seen, 'other').ready).toBe(3);
});

test('a call reads as one, and what is cut says so', () => {
  const text = (value: string, cut = false) => ({ text: value, cut });
  expect(callLine(message(0, { args: text('[1, "a"]'), kwargs: text('{"x": 2}') }))).toBe('1, "a", "x": 2');
  expect(callLine(message(0, { args: text('[]'), kwargs: text('{}') }))).toBe('');
  expect(callLine(message(0, { args: text('[1, 2', true) }))).toBe('[1, 2…');
  expect(messageName(message(0, { problem: { code: 'QUEUE_PEEK_BOUND', says: 'too long' } }))).toBe('cannot be read');
});
