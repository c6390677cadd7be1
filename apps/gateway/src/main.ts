import { openStore } from '@meadow/store';
import { portNumber, runService } from '@meadow/runtime';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { openGateway } from './gateway.ts';

const config = z.object({
  MEADOW_GATEWAY_HOST: z.string().default('127.0.0.1'),
  /** 0 takes a free one. */
  MEADOW_GATEWAY_PORT: portNumber.default(5555),
  MEADOW_NATS_URL: z.string().default('nats://127.0.0.1:4222'),
  MEADOW_CLICKHOUSE_URL: z.url({ protocol: /^https?$/ }).default('http://127.0.0.1:8123'),
  MEADOW_CLICKHOUSE_USER: z.string().default('default'),
  MEADOW_CLICKHOUSE_PASSWORD: z.string().default(''),
  /** Folder of the built dashboard. */
  MEADOW_DASHBOARD_DIR: z.string().default(fileURLToPath(new URL('../../dashboard/dist', import.meta.url))),
});

await runService('gateway', config, async ({ config, log, version, metrics, signal, readyWhen }) => {
  await using store = openStore({
    url: config.MEADOW_CLICKHOUSE_URL,
    username: config.MEADOW_CLICKHOUSE_USER,
    password: config.MEADOW_CLICKHOUSE_PASSWORD,
  });
  await using _gateway = await openGateway({
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
