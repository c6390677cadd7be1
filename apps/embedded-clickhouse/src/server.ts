import { timingSafeEqual, createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isIP, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Body } from './body.ts';
import { lockDataDir } from './data-dir.ts';
import { openEngine, type Engine } from './engine.ts';
import { ClickHouseException, exception } from './exception.ts';
import { runQuery } from './query.ts';
import { readRequest } from './request.ts';
import { Answer, negotiate } from './response.ts';

export { DataDirLockedError } from './data-dir.ts';

export interface ServerOptions {
  readonly dataDir: string;
  /** @default '127.0.0.1' */
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** Password that every query must bring, under any user name; null = none is asked for. */
  readonly password: string | null;
  /** Bound of everything in the engine; one query gets at most three quarters of it. */
  readonly maxMemoryBytes: number;
  /** Time limit of a query that does not set `max_execution_time`. */
  readonly maxQuerySeconds: number;
  readonly maxConcurrentQueries: number;
  readonly maxQueuedQueries: number;
  /** Rows of one INSERT, decompressed. */
  readonly maxInsertBytes: number;
  /** Result that has to be rendered at once (JSON, Parquet, `wait_end_of_query`); streamed ones have no bound. */
  readonly maxWholeResultBytes: number;
  /** How long a client may leave an answer unread. */
  readonly stallTimeoutMs: number;
  /** How long running queries may go on after disposal began. */
  readonly stopDeadlineMs: number;
}

export interface Server extends AsyncDisposable {
  readonly url: string;
  readonly version: string;
}

/**
 * Opens the engine on a data directory and answers ClickHouse's HTTP interface. One per process. Dispose: no new
 * connections, running queries end or are stopped at the deadline, the engine closes, the directory is free.
 * @throws DataDirLockedError, and Node's error when the port is taken.
 */
export async function openServer(options: ServerOptions): Promise<Server> {
  await using opened = new AsyncDisposableStack();
  opened.use(await lockDataDir(options.dataDir));
  const spoolDir = join(options.dataDir, 'spool');
  await rm(spoolDir, { recursive: true, force: true });
  await mkdir(spoolDir);
  const engine = opened.use(await openEngine({ ...options, queueTimeoutMs: options.maxQuerySeconds * 1000 }));
  const stopping = new AbortController();
  const handler = createHandler(engine, { ...options, spoolDir, stopping: stopping.signal });
  // parameters travel in the URL, which may be as long as a server takes it (http_max_uri_size)
  const limits = { keepAliveTimeout: 30_000, requestTimeout: 600_000, maxHeaderSize: 1_048_576 };
  const http = createServer(limits, (request, response) => {
    void handler(request, response);
  });
  http.listen(options.port, options.host);
  await once(http, 'listening');
  opened.defer(async () => {
    const closed = once(http, 'close');
    http.close();
    http.closeIdleConnections();
    const deadline = setTimeout(() => {
      stopping.abort();
      http.closeAllConnections();
    }, options.stopDeadlineMs);
    await closed;
    clearTimeout(deadline);
  });
  const { address, port } = http.address() as AddressInfo;
  const stack = opened.move();
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${port}`,
    version: engine.version,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

interface HandlerOptions extends ServerOptions {
  readonly spoolDir: string;
  readonly stopping: AbortSignal;
}

function createHandler(engine: Engine, options: HandlerOptions) {
  const passwordDigest = options.password === null ? null : digest(options.password);

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://server');
    if (url.pathname === '/ping' || url.pathname === '/replicas_status') return text(response, 200, 'Ok.\n');
    if (url.pathname !== '/') return text(response, 404, `There is no handle ${url.pathname}\n`);
    const greeting = request.method !== 'POST' && !url.searchParams.has('query');
    if (greeting) return text(response, 200, 'Ok.\n');

    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, options.stopping]);
    response.on('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    const plain = { contentType: '', encoding: null, stallTimeoutMs: options.stallTimeoutMs, signal };
    let answer = new Answer(response, { ...plain, headers: {} });
    try {
      refuseForeignPages(request, options);
      const query = readRequest(request, url);
      const headers = {
        'x-clickhouse-query-id': query.queryId,
        'x-clickhouse-timezone': engine.timezone,
        'x-clickhouse-server-display-name': 'meadow-embedded',
      };
      answer = new Answer(response, { ...plain, headers });
      if (passwordDigest !== null && !timingSafeEqual(digest(query.credentials.password), passwordDigest)) {
        throw exception(516, `${query.credentials.user}: Authentication failed: password is incorrect`);
      }
      await runQuery(engine, query, new Body(request), {
        ...options,
        signal,
        answer: ({ contentType, format }) => {
          const encoding = query.compressResponse ? negotiate(request) : null;
          const named = { ...headers, 'x-clickhouse-format': format };
          return (answer = new Answer(response, { ...plain, headers: named, contentType, encoding }));
        },
      });
    } catch (error) {
      if (gone.signal.aborted) return;
      answer.fail(asException(error), engine.version);
    } finally {
      // an answer given before the body was read (an early error) must not leave the rest on the connection
      if (!request.readableEnded) request.resume();
    }
  };
}

function asException(error: unknown): ClickHouseException {
  if (error instanceof ClickHouseException) return error;
  const message = error instanceof Error ? error.message : String(error);
  // a body that is spooled to a full disk is not at fault itself: the same insert works once there is room
  const full = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
  return exception(full ? 243 : 1002, message, { cause: error });
}

/**
 * Without a password any web page open in a browser on this machine could post queries: refuses what a page sends to
 * another origin, and on loopback a name that an outsider may have pointed here.
 */
function refuseForeignPages(request: IncomingMessage, { password, host }: ServerOptions): void {
  if (password !== null) return;
  const { origin, host: named } = request.headers;
  if (origin !== undefined) throw exception(497, 'Requests of web pages are refused while no password is set');
  const name = (named ?? '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  const loopback = host === '127.0.0.1' || host === '::1' || host === 'localhost';
  if (loopback && name !== 'localhost' && isIP(name) === 0)
    throw exception(497, `Host ${name} is not this machine's loopback`);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function text(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=UTF-8',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}
