import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

/** What must hold for the service to be of use; the text says what is missing, null that all is well. */
export type ReadyCheck = () => string | null;

export interface HealthServer extends AsyncDisposable {
  /** The port listened on. */
  readonly port: number;
}

/**
 * Answers `/livez` (the process runs), `/readyz` (503 and what is missing, else 200) and `/metrics` (Prometheus text).
 * @param options.port 0 takes a free one.
 */
export async function openHealth(options: {
  readonly host: string;
  readonly port: number;
  readonly metrics: Registry;
  readonly ready: ReadyCheck;
}): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path === '/livez') return void response.end('ok\n');
    if (path === '/readyz') {
      const missing = options.ready();
      return void response.writeHead(missing === null ? 200 : 503).end(`${missing ?? 'ok'}\n`);
    }
    if (path === '/metrics') {
      return void options.metrics.metrics().then(
        (text) => response.writeHead(200, { 'content-type': options.metrics.contentType }).end(text),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    }
    return void response.writeHead(404).end('not found; try /livez, /readyz or /metrics\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
