import { collectDefaultMetrics, Registry } from 'prom-client';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { COMPILE_ONLY } from './compile.ts';
import { ConfigError, readConfig } from './config.ts';
import { openHealth, type ReadyCheck } from './health.ts';
import { describeError, LOG_LEVELS, openLogger, type Logger } from './logger.ts';

/** A TCP port; 0 means off or any free one, as the variable says. */
export const portNumber = z.coerce.number().int().min(0).max(65_535);

const commonConfig = z.object({
  MEADOW_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  /** Port of /livez, /readyz and /metrics; 0 = off. The gateway answers them on its own port instead. */
  MEADOW_HEALTH_PORT: portNumber.default(0),
  MEADOW_HEALTH_HOST: z.string().default('127.0.0.1'),
});

export interface ServiceContext<Config> {
  readonly config: Config;
  readonly log: Logger;
  /** Meadow's version, which all of its projects share. */
  readonly version: string;
  readonly metrics: Registry;
  /** Aborted when the process is asked to stop. */
  readonly signal: AbortSignal;
  /** Sets what `/readyz` asks. */
  readyWhen(check: ReadyCheck): void;
}

/** How long a service may take to stop before it ends itself. */
const STOP_DEADLINE_MS = 10_000;

/**
 * Runs a service from start to stop: configuration → logger → health → `run`, which returns when `signal` is aborted
 * (SIGTERM, SIGINT, or the end of the supervisor's pipe when `MEADOW_SUPERVISED` is set). Exit code 0 after a clean
 * stop, 78 for a configuration that does not fit, 1 for anything else.
 */
export async function runService<S extends z.ZodObject>(
  name: string,
  schema: S,
  run: (context: ServiceContext<z.output<S>>) => Promise<void>,
): Promise<void> {
  if (process.env[COMPILE_ONLY] === '1') return;
  const stop = new AbortController();
  let log = openLogger(name, 'info');
  try {
    const common = readConfig(commonConfig, process.env);
    log = openLogger(name, common.MEADOW_LOG_LEVEL);
    const config = readConfig(schema, process.env);
    const metrics = new Registry();
    collectDefaultMetrics({ register: metrics });
    let ready: ReadyCheck = () => 'starting';
    onStopRequest((reason) => {
      if (stop.signal.aborted) return;
      log.info({ reason }, 'stopping');
      stop.abort(reason);
      setTimeout(() => {
        log.error({ deadlineMs: STOP_DEADLINE_MS }, 'not stopped in time, ending now');
        process.exit(1);
      }, STOP_DEADLINE_MS).unref();
    });
    process.once('unhandledRejection', (error) => {
      log.error({ error: describeError(error) }, 'ended by an error that nobody handled');
      process.exit(1);
    });
    await using _health =
      common.MEADOW_HEALTH_PORT === 0
        ? null
        : await openHealth({
            host: common.MEADOW_HEALTH_HOST,
            port: common.MEADOW_HEALTH_PORT,
            metrics,
            ready: () => ready(),
          });
    await run({
      config,
      log,
      version: readVersion(),
      metrics,
      signal: stop.signal,
      readyWhen: (check) => (ready = check),
    });
    log.info({}, 'stopped');
    process.exitCode = 0;
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const line of error.message.split('\n')) log.error({ code: error.code }, line);
      process.exitCode = 78;
    } else {
      log.error({ error: describeError(error) }, 'ended by an error');
      process.exitCode = 1;
    }
  }
  // what is still open (a half-closed socket, say) must not keep a stopped service alive
  setTimeout(() => process.exit(), 500).unref();
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

function onStopRequest(stop: (reason: string) => void): void {
  process.once('SIGTERM', () => stop('SIGTERM'));
  process.once('SIGINT', () => stop('SIGINT'));
  if (process.env['MEADOW_SUPERVISED'] !== undefined) {
    // the supervisor holds the other end of stdin: its death, however sudden, closes it
    process.stdin.on('end', () => stop('supervisor ended')).on('error', () => stop('supervisor ended'));
    process.stdin.resume();
    process.stdin.unref?.();
  }
}
