import { availableParallelism, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { portNumber, runService } from '@meadow/runtime';
import { z } from 'zod';

const count = z.coerce.number().int().positive();

const schema = z.object({
  MEADOW_CLICKHOUSE_DATA: z.string({ error: 'the data directory, or --data DIR' }).min(1),
  MEADOW_CLICKHOUSE_HOST: z.string().default('127.0.0.1'),
  MEADOW_CLICKHOUSE_PORT: portNumber.default(8123),
  MEADOW_CLICKHOUSE_PASSWORD: z.string().nullable().default(null),
  MEADOW_CLICKHOUSE_MAX_MEMORY: count.default(Math.floor(totalmem() / 2)),
  MEADOW_CLICKHOUSE_MAX_QUERY_SECONDS: z.coerce.number().positive().default(300),
  MEADOW_CLICKHOUSE_MAX_CONCURRENT: count.default(Math.max(8, availableParallelism())),
  MEADOW_CLICKHOUSE_MAX_QUEUED: z.coerce.number().int().min(0).default(200),
  MEADOW_CLICKHOUSE_MAX_INSERT_BYTES: count.default(4 * 2 ** 30),
  MEADOW_CLICKHOUSE_MAX_WHOLE_RESULT_BYTES: count.default(128 * 2 ** 20),
});

/** `--max-memory 1` says what MEADOW_CLICKHOUSE_MAX_MEMORY=1 says, and wins over it. */
function flagsIntoEnvironment(): void {
  const flags = Object.keys(schema.shape).map((variable) => ({
    variable,
    flag: variable.slice('MEADOW_CLICKHOUSE_'.length).toLowerCase().replaceAll('_', '-'),
  }));
  const { values } = parseArgs({
    options: Object.fromEntries(flags.map(({ flag }) => [flag, { type: 'string' as const }])),
  });
  for (const { variable, flag } of flags) {
    const value = values[flag];
    if (typeof value === 'string') process.env[variable] = value;
  }
}

flagsIntoEnvironment();
await runService('embedded-clickhouse', schema, async ({ config, log, signal, readyWhen }) => {
  // each running query occupies a thread of this pool, and files and compression need some too; the pool reads the
  // variable when it is first used, which is why nothing that uses it is imported before
  process.env['UV_THREADPOOL_SIZE'] ??= String(config.MEADOW_CLICKHOUSE_MAX_CONCURRENT + 4);
  const { DataDirLockedError, openServer } = await import('./server.ts');
  await using server = await openServer({
    dataDir: config.MEADOW_CLICKHOUSE_DATA,
    host: config.MEADOW_CLICKHOUSE_HOST,
    port: config.MEADOW_CLICKHOUSE_PORT,
    password: config.MEADOW_CLICKHOUSE_PASSWORD,
    maxMemoryBytes: config.MEADOW_CLICKHOUSE_MAX_MEMORY,
    maxQuerySeconds: config.MEADOW_CLICKHOUSE_MAX_QUERY_SECONDS,
    maxConcurrentQueries: config.MEADOW_CLICKHOUSE_MAX_CONCURRENT,
    maxQueuedQueries: config.MEADOW_CLICKHOUSE_MAX_QUEUED,
    maxInsertBytes: config.MEADOW_CLICKHOUSE_MAX_INSERT_BYTES,
    maxWholeResultBytes: config.MEADOW_CLICKHOUSE_MAX_WHOLE_RESULT_BYTES,
    stallTimeoutMs: 60_000,
    stopDeadlineMs: 6_000,
  }).catch((error: unknown) => {
    if (!(error instanceof DataDirLockedError)) throw error;
    // the usual mistake: one line that says all, and nothing is open yet
    log.error({ code: error.code, dataDir: error.dataDir, pid: error.pid }, error.message);
    process.exit(1);
  });
  process.stdout.write(`${JSON.stringify({ event: 'listening', url: server.url })}\n`);
  log.info({ url: server.url, engine: server.version }, 'listening');
  readyWhen(() => null);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
});
