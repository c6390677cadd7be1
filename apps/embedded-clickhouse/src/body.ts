import { randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { exception } from './exception.ts';

/** The text of a query in a body is held in memory up to here. */
const MAX_QUERY_BYTES = 16 * 1024 * 1024;
/** Rows are written to their file in pieces of at least this size. */
const WRITE_BYTES = 1024 * 1024;

/** The rows of an INSERT in a file that is gone once this is disposed. */
export interface Rows extends AsyncDisposable {
  readonly path: string;
}

const DECODERS = new Map<string, () => Transform>([
  ['gzip', () => createGunzip()],
  ['deflate', () => createInflate()],
  ['br', () => createBrotliDecompress()],
  ['zstd', () => createZstdDecompress()],
]);

/** Reads a request's body once, decoded by its Content-Encoding. */
export class Body {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #ahead: Buffer[] = [];

  /** @throws ClickHouseException 89 for an encoding that is not known. */
  constructor(request: IncomingMessage) {
    const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
    const decoder = DECODERS.get(encoding);
    if (decoder === undefined && encoding !== 'identity') throw exception(89, `Unknown compression method ${encoding}`);
    const source: Readable = decoder === undefined ? request : pipeline(request, decoder(), () => undefined);
    this.#chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /**
   * The body as the text of a query, or the beginning of a longer one if `mayGoOn` accepts it.
   * @throws ClickHouseException 229, 271
   */
  async text(mayGoOn: (head: Buffer) => boolean): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    for (let chunk; (chunk = await this.#next()) !== null;) {
      chunks.push(chunk);
      length += chunk.length;
      if (length <= MAX_QUERY_BYTES) continue;
      const head = Buffer.concat(chunks);
      if (mayGoOn(head)) return head;
      throw exception(229, `The query is longer than ${MAX_QUERY_BYTES} bytes`);
    }
    return Buffer.concat(chunks);
  }

  /** Puts `bytes` before what has not been read yet. */
  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#ahead.unshift(bytes);
  }

  /**
   * Moves the rest of the body into a file of `spoolDir`; memory stays constant.
   * @throws ClickHouseException 229 beyond `maxBytes`, 271 for a body that ends early or does not decode.
   */
  async rows(spoolDir: string, maxBytes: number): Promise<Rows> {
    // without an extension: the engine would take one like .gz for a compression
    const path = join(spoolDir, randomUUID());
    const rows: Rows = { path, [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    await using undo = new AsyncDisposableStack();
    undo.use(rows);
    const file = await open(path, 'wx');
    try {
      let total = 0;
      let pending: Buffer[] = [];
      let pendingBytes = 0;
      for (let chunk; (chunk = await this.#next()) !== null;) {
        total += chunk.length;
        if (total > maxBytes) throw exception(229, `The INSERT has more than ${maxBytes} bytes; split it`);
        pending.push(chunk);
        pendingBytes += chunk.length;
        if (pendingBytes < WRITE_BYTES) continue;
        await writeAll(file, pending);
        pending = [];
        pendingBytes = 0;
      }
      await writeAll(file, pending);
    } finally {
      await file.close();
    }
    undo.move();
    return rows;
  }

  async #next(): Promise<Buffer | null> {
    const ahead = this.#ahead.shift();
    if (ahead !== undefined) return ahead;
    try {
      const { value, done } = await this.#chunks.next();
      return done === true ? null : value;
    } catch (error) {
      throw exception(271, `Cannot read the request body: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** One system call for all the pieces, unless the kernel takes only a part of them. Their memory is given back. */
async function writeAll(file: Awaited<ReturnType<typeof open>>, pieces: readonly Buffer[]): Promise<void> {
  if (pieces.length === 0) return;
  let { bytesWritten } = await file.writev(pieces);
  for (const piece of pieces) {
    if (bytesWritten < piece.length) await file.writeFile(piece.subarray(bytesWritten));
    bytesWritten = Math.max(0, bytesWritten - piece.length);
    release(piece);
  }
}

/**
 * Frees a piece of a body now. Each has 64 KiB of its own, and leaving them to the collector makes it go over the whole heap
 * every few inserts: a quarter of what receiving costs.
 */
function release({ buffer, byteLength }: Buffer): void {
  // one that shares its memory, e.g. with what was the query's text, is not ours to free
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
