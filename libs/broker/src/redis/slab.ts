import { Buffer } from 'node:buffer';

/** A piece of memory that a socket reads into, and that serves again once nobody looks at what is in it. */
export interface Slab {
  readonly bytes: Buffer;
  /** Of the same bytes: one for each message would cost more than reading it. */
  readonly view: DataView;
  /** Who still looks: the reader while it reads into it, and each message that was handed out. */
  users: number;
}

/** Of one size unless a message is longer. Small enough to stay in the processor's cache from the read to the decoding. */
const SLAB_BYTES = 256 * 1024;
/** Kept for the next, of whatever connection. The rest is left to the garbage collector. */
const SPARE_SLABS = 16;
const spare: Slab[] = [];

/** A slab of these bytes, with one user. */
export function slabOf(bytes: Buffer): Slab {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), users: 1 };
}

/** @returns a slab of at least `leastBytes` with its taker as its one user */
export function takeSlab(leastBytes: number): Slab {
  const known = leastBytes <= SLAB_BYTES ? spare.pop() : undefined;
  if (known === undefined) return slabOf(Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, leastBytes)));
  known.users = 1;
  return known;
}

/** One user less. A slab of which a user forgets to say so is not used again, and nothing else. */
export function letGo(slab: Slab): void {
  if (--slab.users === 0 && slab.bytes.length === SLAB_BYTES && spare.length < SPARE_SLABS) spare.push(slab);
}
