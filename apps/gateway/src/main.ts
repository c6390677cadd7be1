import { openSqlConsole, openStore } from '@meadow/store';
import { portNumber, runService } from '@meadow/runtime';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { openGateway } from './gateway.ts';

const SQL_DOCS = new URL('../../../docs/sql.md', import.meta.url);

const config = z.object({
  MEADOW_GATEWAY_HOST: z.string().default('127.0.0.1'),
  /** 0 takes a free one. */
  MEADOW_GATEWAY_PORT: portNumber.default(5555),
  MEADOW_NATS_URL: z.string().default('nats://127.0.0.1:4222'),
  MEADOW_CLICKHOUSE_URL: z.url({ protocol: /^https?$/ }).default('http://127.0.0.1:8123'),
  MEADOW_CLICKHOUSE_USER: z.string().default('default'),
  MEADOW_CLICKHOUSE_PASSWORD: z.string().default(''),
  /** A user that can only read, for statements of people. Without it they run as the user above, read-only by request. */
  MEADOW_SQL_USER: z.string().min(1).nullable().default(null),
  MEADOW_SQL_PASSWORD: z.string().default(''),
  /** What one such statement may take. */
  MEADOW_SQL_MAX_SECONDS: z.coerce.number().int().min(1).max(3_600).default(60),
  MEADOW_SQL_MAX_MEMORY: z.coerce.number().int().min(50_000_000).default(1_000_000_000),
  MEADOW_SQL_THREADS: z.coerce.number().int().min(1).max(256).default(1),
  /** Folder of the built dashboard. */
  MEADOW_DASHBOARD_DIR: z.string().default(fileURLToPath(new URL('../../dashboard/dist', import.meta.url))),
});

await runService('gateway', config, async ({ config, log, version, metrics, signal, readyWhen }) => {
  await using store = openStore({
    url: config.MEADOW_CLICKHOUSE_URL,
    username: config.MEADOW_CLICKHOUSE_USER,
    password: config.MEADOW_CLICKHOUSE_PASSWORD,
  });
  const restricted = config.MEADOW_SQL_USER !== null;
  const limits = {
    seconds: config.MEADOW_SQL_MAX_SECONDS,
    memoryBytes: config.MEADOW_SQL_MAX_MEMORY,
    threads: config.MEADOW_SQL_THREADS,
  };
  await using console = openSqlConsole({
    ...{ store, limits, restricted, url: config.MEADOW_CLICKHOUSE_URL, database: store.database },
    username: config.MEADOW_SQL_USER ?? config.MEADOW_CLICKHOUSE_USER,
    password: restricted ? config.MEADOW_SQL_PASSWORD : config.MEADOW_CLICKHOUSE_PASSWORD,
  });
  await using _gateway = await openGateway({
    sql: { console, limits, docs: await readFile(SQL_DOCS, 'utf8').catch(() => '') },
    host: config.MEADOW_GATEWAY_HOST,
    port: config.MEADOW_GATEWAY_PORT,
    natsUrl: config.MEADOW_NATS_URL,
    dashboardDir: config.MEADOW_DASHBOARD_DIR,
    store,
    version,
    log,
    metrics,
  });
  // on its own port the gateway says more: this one cannot wait for the store
  readyWhen(() => null);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
});
