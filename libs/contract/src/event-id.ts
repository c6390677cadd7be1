/**
 * A deterministic id of a Celery event, which has none of its own: 64 bits as 16 hex digits, from who sent it, when and
 * what about. Two collectors that hear the same event give it the same id; 2 million ids collide with probability 1e-7.
 *
 * Two 32-bit lanes with multiplicative mixing over UTF-16 units and the bits of the numbers, folded into each other at the
 * end. Not cryptographic. Written without a joined string because it runs for every event: 0.2 µs.
 */
export function eventId(
  cluster: string,
  hostname: string,
  pid: number | null,
  clock: number | null,
  type: string,
  uuid: string,
  timestamp: number,
): string {
  lanes.begin();
  lanes.text(cluster);
  lanes.text(hostname);
  lanes.text(type);
  lanes.text(uuid);
  lanes.end(timestamp, pid ?? -1, clock ?? -1);
  return hex32(lanes.high) + hex32(lanes.low);
}

/**
 * The two lanes of an event's id while it is made: `begin`, then cluster, hostname, type and uuid, each as `text` or as
 * `ascii`, then `end`, after which `high` and `low` are the id.
 */
export class EventIdLanes {
  high = 0;
  low = 0;

  /** Begins anew, or where other lanes stand. */
  begin(from: { readonly high: number; readonly low: number } = START): void {
    this.high = from.high;
    this.low = from.low;
  }

  text(text: string): void {
    let { high, low } = this;
    for (let index = 0; index <= text.length; index++) {
      // the length at the end keeps ('ab', 'c') and ('a', 'bc') apart
      const unit = index === text.length ? index | 0x10000 : text.charCodeAt(index);
      high = Math.imul(high ^ unit, 0x85ebca6b);
      low = Math.imul(low ^ unit, 0xc2b2ae35);
      high = (high << 13) | (high >>> 19);
      low = (low << 17) | (low >>> 15);
    }
    this.high = high;
    this.low = low;
  }

  /** A text that is ASCII, in the bytes from `start` to `end`. */
  ascii(bytes: Uint8Array, start: number, end: number): void {
    let { high, low } = this;
    for (let at = start; at <= end; at++) {
      const unit = at === end ? (end - start) | 0x10000 : (bytes[at] ?? 0);
      high = Math.imul(high ^ unit, 0x85ebca6b);
      low = Math.imul(low ^ unit, 0xc2b2ae35);
      high = (high << 13) | (high >>> 19);
      low = (low << 17) | (low >>> 15);
    }
    this.high = high;
    this.low = low;
  }

  /** @param pid -1 when there is none, and so for the clock */
  end(timestamp: number, pid: number, clock: number): void {
    this.#number(timestamp);
    this.#number(pid);
    this.#number(clock);
    const high = avalanche(this.high);
    this.low = avalanche(this.low ^ high) | 0;
    this.high = avalanche(high ^ this.low) | 0;
  }

  #number(value: number): void {
    numbers[0] = value;
    let { high, low } = this;
    for (let half = 0; half < 2; half++) {
      const bits = numberBits[half] ?? 0;
      high = Math.imul(high ^ bits, 0x85ebca6b);
      low = Math.imul(low ^ bits, 0xc2b2ae35);
      high = (high << 13) | (high >>> 19);
      low = (low << 17) | (low >>> 15);
    }
    this.high = high;
    this.low = low;
  }
}

const START = { high: 0x9e3779b9 | 0, low: 0x7f4a7c15 };
const lanes = new EventIdLanes();
const numbers = new Float64Array(1);
const numberBits = new Uint32Array(numbers.buffer);

function avalanche(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  value = Math.imul(value ^ (value >>> 15), 0x846ca68b);
  return (value ^ (value >>> 16)) >>> 0;
}

const HEX_BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hex32(value: number): string {
  const byte = (shift: number): string => HEX_BYTES[(value >>> shift) & 0xff] ?? '';
  return byte(24) + byte(16) + byte(8) + byte(0);
}

/** Into how many partitions a cluster's task events are split: the most aggregators that can share its work. */
export const PARTITIONS = 8;

/** The partition of a task, so that one task's events stay in order on one aggregator. Depends on the uuid alone. */
export function partitionOf(uuid: string): number {
  let hash = 0;
  for (let index = Math.max(0, uuid.length - TAIL); index < uuid.length; index++) {
    hash = Math.imul(hash ^ uuid.charCodeAt(index), 0x01000193);
  }
  return avalanche(hash) % PARTITIONS;
}

/** `partitionOf` a uuid that is ASCII, in the bytes from `start` to `end`. */
export function partitionOfAscii(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let at = Math.max(start, end - TAIL); at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return avalanche(hash) % PARTITIONS;
}

/** Uuids are random in every digit: a few of them spread as well as all. */
const TAIL = 6;
