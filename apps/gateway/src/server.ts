import fastifyCompress from '@fastify/compress';
import { appRouter, type ApiContext, type AppRouter, type Ports } from '@meadow/api';
import type { Requester } from '@meadow/contract';
import { fastifyTRPCPlugin, type FastifyTRPCPluginOptions } from '@trpc/server/adapters/fastify';
import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { constants } from 'node:zlib';
import type { Registry } from 'prom-client';
import { serveAuditExport, type AuditPages } from './audit-export.ts';
import { serveDashboard } from './dashboard.ts';
import { serveMarks } from './marks.ts';
import { serveTasksExport, type TaskPages } from './tasks-export.ts';
import { serveSql } from './sql-streams.ts';
import type { StoreSql } from './sql.ts';
import type { Telemetry } from './telemetry.ts';

/** How long answers under way may take once the server is closed. */
const DRAIN_DEADLINE_MS = 3_000;

/** The dashboard brings everything itself; nothing is inline, nothing comes from elsewhere. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const SECURITY_HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
} as const;

export interface ServerOptions {
  readonly ports: Ports;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly dashboardDir: string;
  readonly metrics: Registry;
  /** What is missing for the gateway to be of use, a line each; empty when all is well. */
  readonly missing: () => Promise<readonly string[]>;
  /** Whole records for an export. */
  readonly auditPages: AuditPages;
  /** Whole tasks for an export. */
  readonly taskPages: TaskPages;
  /** Statements of people, as streams. */
  readonly sql: StoreSql;
  readonly telemetry: Telemetry;
}

export interface GatewayServer extends AsyncDisposable {
  readonly url: string;
}

/** Listens. Disposing answers what is under way, for at most 3 s, and then cuts it; end the live streams before. */
export async function openServer(options: ServerOptions): Promise<GatewayServer> {
  const app = fastify({
    logger: false,
    bodyLimit: 1_000_000,
    requestTimeout: 30_000,
    // questions travel in the address, and a query of 4,000 characters takes up to 36 KB there
    http: { maxHeaderSize: 131_072 },
    forceCloseConnections: 'idle',
    // tRPC names every procedure of a batch in the path
    routerOptions: { maxParamLength: 5_000 },
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS).header('cache-control', 'no-store');
    if (isForeign(request))
      await reply.code(403).send('this page belongs to another site, which may not change anything here\n');
    // what is told in steps must not wait in a compressor until there is more of it
    if (request.headers['trpc-accept'] === 'application/jsonl') request.headers['x-no-compression'] = 'steps';
  });
  await app.register(fastifyCompress, {
    encodings: ['br', 'gzip'],
    globalDecompression: false,
    threshold: 1_024,
    // a fifth of the time of brotli's default, for a few percent more bytes
    brotliOptions: { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } },
  });
  answerOperators(app, options);
  await app.register(fastifyTRPCPlugin, {
    prefix: '/trpc',
    trpcOptions: {
      router: appRouter,
      createContext: ({ req }): ApiContext => ({ ...options.ports, requester: requesterOf(req) }),
      maxBatchSize: 20,
      onError({ error, path }) {
        if (error.code === 'INTERNAL_SERVER_ERROR') options.telemetry.requestFailed(path ?? '', error.cause ?? error);
      },
    },
  } satisfies FastifyTRPCPluginOptions<AppRouter>);
  serveAuditExport(app, options.auditPages, options.ports.now);
  serveTasksExport(app, options.taskPages, options.ports.now);
  serveMarks(app, options.ports.marks);
  serveSql(app, options.sql, requesterOf);
  await serveDashboard(app, options.dashboardDir);
  await app.listen({ host: options.host, port: options.port });
  const { port } = app.server.address() as AddressInfo;
  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    [Symbol.asyncDispose]: () => close(app, options.telemetry),
  };
}

/** Whether a browser sends it for a page of another site: such may read nothing of the answer, and change nothing. */
function isForeign({ method, headers }: FastifyRequest): boolean {
  if (method === 'GET' || method === 'HEAD') return false;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const { origin, host } = headers;
  return origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host);
}

function requesterOf({ ip, headers }: FastifyRequest): Requester {
  const user_agent = (headers['user-agent'] ?? '').slice(0, 500);
  return { actor: '', signed_in: 'anonymous', address: ip, user_agent };
}

function answerOperators(app: FastifyInstance, { metrics, missing }: ServerOptions): void {
  app.get('/livez', () => 'ok\n');
  app.get('/readyz', async (_request, reply) => {
    const lines = await missing();
    return reply
      .code(lines.length === 0 ? 200 : 503)
      .send(lines.length === 0 ? 'ok\n' : lines.map((line) => `${line}\n`).join(''));
  });
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));
}

async function close(app: FastifyInstance, telemetry: Telemetry): Promise<void> {
  const closing = app.close();
  const inTime = await Promise.race([closing.then(() => true), delay(DRAIN_DEADLINE_MS, false, { ref: false })]);
  if (inTime) return;
  telemetry.streamsCut();
  app.server.closeAllConnections();
  await closing;
}
