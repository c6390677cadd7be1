import type { Redis } from 'ioredis';
import { Buffer } from 'node:buffer';

/** Tells two messages apart without sending either: of a long one, its ends, in the last of which is its delivery tag. */
const FINGERPRINT = `
local function fingerprint(m)
  return redis.sha1hex(#m .. ':' .. string.sub(m, 1, 65536) .. string.sub(m, -65536))
end`;

/** Refuses keys that hold something else before anything is changed. */
const LISTS_ONLY = `
for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'list' and kind ~= 'none' then return redis.error_reply('WRONGTYPE ' .. kind) end
end`;

const LOOK = `${FINGERPRINT}
local offset, limit, most, total = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local lengths, found, spent = {}, {}, 0
for i, key in ipairs(KEYS) do
  local length = redis.call('LLEN', key)
  lengths[i] = length
  local at = offset
  while at < length and #found < limit and spent < total do
    local m = redis.call('LINDEX', key, -1 - at)
    local shown = false
    if #m <= most and spent + #m <= total then
      shown = m
      spent = spent + #m
    elseif #m <= most then
      spent = total
      break
    end
    found[#found + 1] = { i, at, #m, fingerprint(m), shown }
    at = at + 1
  end
  offset = math.max(0, offset - length)
end
return { lengths, found }`;

const PURGE = `${LISTS_ONLY}
local removed = 0
for _, key in ipairs(KEYS) do
  removed = removed + redis.call('LLEN', key)
  redis.call('UNLINK', key)
end
return removed`;

/** From where the message was seen to either side: messages before it have been taken meanwhile, or come back. */
const REMOVE = `${LISTS_ONLY}${FINGERPRINT}
local key, from, size, wanted = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local reach, budget = tonumber(ARGV[4]), tonumber(ARGV[5])
local length, seen = redis.call('LLEN', key), 0
local function try(at)
  if at < 0 or at >= length then return false end
  local m = redis.call('LINDEX', key, -1 - at)
  seen = seen + #m
  if #m ~= size or fingerprint(m) ~= wanted then return false end
  redis.call('LREM', key, -1, m)
  return true
end
for far = 0, reach do
  if try(from - far) or (far > 0 and try(from + far)) then return 1 end
  if seen > budget then return 0 end
end
return 0`;

/** The copy first: should Redis refuse the removal, there are two, not none. */
const MOVE = `${LISTS_ONLY}
local from, to, offset, reach = KEYS[1], KEYS[2], tonumber(ARGV[1]), tonumber(ARGV[2])
local moved = 0
for n = 3, #ARGV, 2 do
  local old = ARGV[n]
  if redis.call('LINDEX', from, -1 - offset) == old or redis.call('LPOS', from, old, 'RANK', -1, 'MAXLEN', reach) then
    redis.call('LPUSH', to, ARGV[n + 1])
    redis.call('LREM', from, -1, old)
    moved = moved + 1
  end
end
return moved`;

/** Of an entry `[envelope, exchange, routing key]` its end, and of most only that of these two. */
const UNACKED = `
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local told = { page[1] }
for n = 1, #page[2], 2 do
  told[#told + 1] = page[2][n]
  local entry = page[2][n + 1]
  local address = string.match(string.sub(entry, -300), ', "[^"\\\\]*", "[^"\\\\]*"%]$')
  told[#told + 1] = address or string.sub(entry, -tonumber(ARGV[3]))
end
return told`;

interface LookOptions {
  readonly offset: number;
  readonly limit: number;
  /** A longer message is told without its bytes. */
  readonly mostBytes: number;
  /** Of all together; what comes after is not told. */
  readonly totalBytes: number;
}

/** A message in a list. */
export interface ListedMessage {
  /** Index of the list among those that were looked at. */
  readonly list: number;
  /** Messages of this list that are served before it. */
  readonly at: number;
  readonly bytes: number;
  readonly fingerprint: string;
  /** Null when it is longer than what was asked for. */
  readonly payload: Buffer | null;
}

interface ListsLook {
  readonly lengths: readonly number[];
  readonly messages: readonly ListedMessage[];
}

/** Reads messages of several lists as if they were one, the next to be served first, at one moment. */
export async function look(client: Redis, keys: readonly string[], options: LookOptions): Promise<ListsLook> {
  const { offset, limit, mostBytes, totalBytes } = options;
  return readLook(await client.callBuffer('EVAL', ...lookArgs(keys, [offset, limit, mostBytes, totalBytes])));
}

/** How many messages several lists hold, at one moment. */
export async function lengthsOfLists(client: Redis, keys: readonly string[]): Promise<readonly number[]> {
  return (await look(client, keys, { offset: 0, limit: 0, mostBytes: 0, totalBytes: 0 })).lengths;
}

/** The message that is next in each of several queues. Null where there is none, or the script is refused. */
export async function lookAtNext(
  client: Redis,
  queues: readonly (readonly string[])[],
  mostBytes: number,
): Promise<(ListedMessage | null)[]> {
  const asked = queues.map((keys) => client.callBuffer('EVAL', ...lookArgs(keys, [0, 1, mostBytes, mostBytes + 1])));
  const answers = await Promise.allSettled(asked);
  return answers.map((answer) => (answer.status === 'fulfilled' ? (readLook(answer.value).messages[0] ?? null) : null));
}

function lookArgs(keys: readonly string[], args: readonly number[]): (string | number)[] {
  return [LOOK, keys.length, ...keys, ...args];
}

function readLook(reply: unknown): ListsLook {
  const [lengths, found] = arrayOf(reply);
  return {
    lengths: arrayOf(lengths).map(Number),
    messages: arrayOf(found).map((one) => {
      const [list, at, bytes, fingerprint, payload] = arrayOf(one);
      return {
        ...{ list: Number(list) - 1, at: Number(at), bytes: Number(bytes), fingerprint: String(fingerprint) },
        payload: Buffer.isBuffer(payload) ? payload : null,
      };
    }),
  };
}

/** Empties several lists at once. @returns how many messages they held */
export async function purgeLists(client: Redis, keys: readonly string[]): Promise<number> {
  return Number(await client.eval(PURGE, keys.length, ...keys));
}

export type MessagePlace = Pick<ListedMessage, 'at' | 'bytes' | 'fingerprint'>;

/** Looks for a message near where it was, so many messages and bytes at most, and removes it. */
export async function removeFromList(client: Redis, key: string, { at, bytes, fingerprint }: MessagePlace) {
  return Number(await client.eval(REMOVE, 1, key, at, bytes, fingerprint, REMOVE_REACH, REMOVE_BYTES)) === 1;
}
const REMOVE_REACH = 10_000;
const REMOVE_BYTES = 64 * 1024 * 1024;

/** A message as it is, and as it is to be in the other list. */
export type Replacement = readonly [old: Buffer, anew: Buffer];

/**
 * Moves messages from the end of one list to the beginning of another, all at once; those that are gone meanwhile are passed
 * over. @param offset messages at the end that stay
 */
export async function moveBetweenLists(
  client: Redis,
  keys: readonly [from: string, to: string],
  offset: number,
  messages: readonly Replacement[],
): Promise<number> {
  return Number(await client.eval(MOVE, 2, ...keys, offset, offset + messages.length + 100, ...messages.flat()));
}

/** A page of the hash of unacknowledged messages: delivery tag and the end of what is kept under it. */
export async function unackedPage(
  client: Redis,
  key: string,
  cursor: string,
  options: { readonly count: number; readonly tailBytes: number },
): Promise<{ readonly cursor: string; readonly entries: readonly (readonly [tag: string, tail: string])[] }> {
  const [next, ...told] = arrayOf(await client.eval(UNACKED, 1, key, cursor, options.count, options.tailBytes));
  const entries: [string, string][] = [];
  for (let n = 0; n < told.length; n += 2) entries.push([String(told[n]), String(told[n + 1])]);
  return { cursor: String(next), entries };
}

function arrayOf(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new TypeError('redis answered a script with something else');
  return value;
}
