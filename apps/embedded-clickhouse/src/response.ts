import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Transform, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { constants, createBrotliCompress, createDeflate, createGzip, createZstdCompress, type Zlib } from 'node:zlib';
import { exception, httpStatus, type ClickHouseException } from './exception.ts';
import type { Summary } from './protocol.ts';

type Encoding = 'gzip' | 'br' | 'zstd' | 'deflate';

type Encoder = Transform & Pick<Zlib, 'flush'>;

/** Fast settings: the answer is on its way to the same machine or network more often than not. */
const ENCODERS: Readonly<Record<Encoding, () => Encoder>> = {
  gzip: () => createGzip({ level: 3 }),
  deflate: () => createDeflate({ level: 3 }),
  br: () => createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 3 } }),
  zstd: () => createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
};

/** From a late exception to the end of its connection, unless the client closes first. */
const CUT_DELAY_MS = 500;
/** Between the rows and a late exception, for the client to have read them. */
const LATE_PAUSE_MS = 20;

/** The encoding of the answer: the first of ours that the client accepts. */
export function negotiate(request: IncomingMessage): Encoding | null {
  const header = request.headers['accept-encoding'];
  const accepted = new Set(
    (Array.isArray(header) ? header.join() : (header ?? '')).split(',').map((item) => item.split(';')[0]?.trim()),
  );
  return (['gzip', 'br', 'zstd', 'deflate'] as const).find((encoding) => accepted.has(encoding)) ?? null;
}

/** `written`: whether the rows were written rather than answered. */
export type AnswerSummary = Summary & { readonly written: boolean };

export interface AnswerOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly contentType: string;
  readonly encoding: Encoding | null;
  /** How long a client may leave the answer unread before the query is given up. */
  readonly stallTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** An answer whose status line waits for the first byte, so that an error before it has a status of its own. */
export class Answer {
  readonly #response: ServerResponse;
  readonly #options: AnswerOptions;
  /** By this text in a 200 answer a client knows that what follows is an exception. */
  readonly #tag = randomBytes(8).toString('hex');
  #out: Writable | null = null;
  #encoder: Encoder | null = null;
  /** After a late exception the answer ends without its final chunk. */
  #cut = false;

  constructor(response: ServerResponse, options: AnswerOptions) {
    this.#response = response;
    this.#options = options;
  }

  /** Resolves when the client can take more. @throws ClickHouseException 209 when it does not for too long. */
  async write(bytes: Buffer): Promise<void> {
    const out = this.#open(null);
    if (out.write(bytes)) return;
    const { signal, stallTimeoutMs } = this.#options;
    const timeout = AbortSignal.timeout(stallTimeoutMs);
    try {
      await once(out, 'drain', { signal: AbortSignal.any([signal, timeout]) });
    } catch (error) {
      if (!timeout.aborted) throw error;
      throw exception(209, `The client has read nothing for ${stallTimeoutMs} ms`, { cause: error });
    }
  }

  end(summary: AnswerSummary): void {
    this.#open(summary).end();
  }

  fail(error: ClickHouseException, version: string): void {
    const text = error.wireText(version);
    const response = this.#response;
    if (!response.headersSent) {
      response.writeHead(httpStatus(error.code), {
        ...this.#options.headers,
        'content-type': 'text/plain; charset=UTF-8',
        'x-clickhouse-exception-code': String(error.code),
        'content-length': Buffer.byteLength(text),
      });
      response.end(text);
      return;
    }
    if (response.destroyed) return;
    // ClickHouse's framing of a late exception; the answer is then cut short, which plain clients notice as well
    const mark = `\r\n__exception__\r\n`;
    const framed = `${mark}${this.#tag}\r\n${text}${Buffer.byteLength(text)} ${this.#tag}${mark}`;
    this.#cut = true;
    void this.#writeAlone(framed);
  }

  /**
   * Writes what ends the answer after everything before it has left: the stock client finds a late exception only if
   * one read of the connection has all of it.
   */
  async #writeAlone(framed: string): Promise<void> {
    const response = this.#response;
    const encoder = this.#encoder;
    if (encoder !== null) await new Promise<void>((resolve) => encoder.flush(resolve));
    const deadline = performance.now() + CUT_DELAY_MS;
    do await delay(LATE_PAUSE_MS);
    while (!response.destroyed && performance.now() < deadline && (response.socket?.writableLength ?? 0) > 0);
    if (response.destroyed) return;
    if (encoder === null) response.write(framed, () => this.#finish());
    else encoder.end(framed);
  }

  #finish(): void {
    if (!this.#cut) {
      this.#response.end();
      return;
    }
    // a Node client drops what it has not read yet when the connection closes too early, and with it the exception
    const { socket } = this.#response;
    setTimeout(() => socket?.destroySoon(), CUT_DELAY_MS);
  }

  #open(summary: AnswerSummary | null): Writable {
    if (this.#out !== null) return this.#out;
    const { headers, contentType, encoding } = this.#options;
    this.#response.writeHead(200, {
      ...headers,
      'content-type': contentType,
      'x-clickhouse-exception-tag': this.#tag,
      ...(summary === null ? {} : { 'x-clickhouse-summary': summaryHeader(summary) }),
      ...(encoding === null ? {} : { 'content-encoding': encoding }),
    });
    if (encoding === null) return (this.#out = this.#response);
    const encoder = ENCODERS[encoding]();
    encoder.on('end', () => this.#finish());
    encoder.pipe(this.#response, { end: false });
    this.#encoder = encoder;
    return (this.#out = encoder);
  }
}

/** Counts the engine does not report, such as the rows a SELECT read, are left out rather than given as 0. */
function summaryHeader({ rows, resultBytes, elapsedSeconds, written }: AnswerSummary): string {
  return JSON.stringify({
    [written ? 'written_rows' : 'result_rows']: String(rows),
    result_bytes: String(resultBytes),
    elapsed_ns: String(Math.round(elapsedSeconds * 1e9)),
  });
}
