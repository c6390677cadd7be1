import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Files whose names hold a digest of their content: never fetched twice. */
const HASHED = /[\\/]assets[\\/][^\\/]+-[\w-]{8,}\.\w+$/;
/** Paths under which a file or an answer is meant, never a page of the dashboard. */
const NO_PAGE = /^\/(?:trpc|api|export|assets)(?:\/|$)/;

const NOT_BUILT = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Meadow</title>
<h1>Meadow's gateway runs, its dashboard is not built</h1>
<p>Build it with <code>npm run build -w @meadow/dashboard</code>, then reload this page.
<p>If it was built elsewhere, say where with <code>MEADOW_DASHBOARD_DIR</code>.
<p>The gateway's own state: <a href="/readyz">/readyz</a>, <a href="/metrics">/metrics</a>.
</html>
`;

/** Whether there is a dashboard to serve. It may also be built later. */
export function isBuilt(folder: string): boolean {
  return existsSync(join(folder, 'index.html'));
}

/** Serves the built dashboard; every address that is neither a file nor an API is one of its pages. */
export async function serveDashboard(app: FastifyInstance, folder: string): Promise<void> {
  await app.register(fastifyStatic, {
    root: folder,
    cacheControl: false,
    dotfiles: 'ignore',
    suppressWarning: true,
    setHeaders(reply, path) {
      reply.header('cache-control', HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
  app.setNotFoundHandler(async (request, reply) => {
    if (!wantsPage(request)) return reply.code(404).send({ error: 'not found' });
    if (isBuilt(folder)) return reply.sendFile('index.html');
    return reply.code(503).type('text/html; charset=utf-8').send(NOT_BUILT);
  });
}

function wantsPage(request: FastifyRequest): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  const path = request.url.split('?')[0] ?? '';
  return !NO_PAGE.test(path) && (request.headers.accept?.includes('text/html') ?? false);
}
