import type { ClusterDefinitionInput } from '@meadow/contract';
import { mkdirSync } from 'node:fs';
import { relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { withoutSecrets } from './brokers.ts';
import type { StandaloneOptions } from './options.ts';
import { openSupervisorHealth } from './health.ts';
import { planProcesses, type Addresses } from './processes.ts';
import { openConsole } from './supervisor/console.ts';
import { openGuard } from './supervisor/guard-client.ts';
import type { LogSink } from './supervisor/log-line.ts';
import type { ProcessSpec } from './supervisor/process.ts';
import { createSupervisor } from './supervisor/supervisor.ts';

/** What runs beside Meadow's own processes, e.g. the demo's brokers and workers. */
export interface Companions {
  /** Called when the data directory is ours, so that it may be emptied. */
  readonly processes: () => readonly ProcessSpec[];
  /** Called when all of them have ended, while the data directory is still ours. */
  readonly cleanUp: () => Promise<void>;
  /** Those of them that the collector shall come after. */
  readonly brokers: readonly string[];
  /** Further lines for what is told at the end of the start. */
  readonly notes: readonly string[];
}

const NONE: Companions = { processes: () => [], cleanUp: async () => undefined, brokers: [], notes: [] };

/** Where a run talks to its surroundings. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean };
  /** Asked to stop: the first time in order, the second time at once. */
  readonly onStopRequest: (listener: (reason: string) => void) => void;
}

/**
 * Runs Meadow on this machine until it is asked to stop. Returns after everything it started is gone.
 * @throws DataInUseError, PortInUseError, MissingProgramError, StartFailedError
 */
export async function runStandalone(
  options: StandaloneOptions,
  surroundings: Surroundings,
  companions: Companions = NONE,
): Promise<void> {
  const startedAt = performance.now();
  const { env, stdout } = surroundings;
  const log = openConsole({
    write: (text) => stdout.write(text),
    format: options.logFormat,
    level: options.logLevel,
    colour: env['NO_COLOR'] === undefined && (stdout.isTTY === true || env['FORCE_COLOR'] !== undefined),
  });
  const say = (message: string, facts: Record<string, unknown> = {}): void =>
    log({ service: 'meadow', level: 'info', time: new Date(), message, facts });

  mkdirSync(options.data, { recursive: true });
  await using guard = await openGuard({
    directory: options.data,
    info: `pid ${process.pid}, port ${options.port}`,
  });
  const beside = companions.processes();
  const plan = await planProcesses(options, env, companions.brokers);
  const supervisor = createSupervisor([...beside, ...plan.processes], { guard, log });

  await using _health = await openSupervisorHealth(env, () => supervisor.states);
  let requests = 0;
  const asked = Promise.withResolvers<undefined>();
  surroundings.onStopRequest((reason) => {
    requests++;
    if (requests > 1) return supervisor.kill();
    say('stopping; once more to end at once', { reason });
    asked.resolve(undefined);
  });

  say('starting', { nats: plan.addresses.nats, clickhouse: plan.addresses.clickhouse, data: options.data });
  const starting = plan.compile().then(() => supervisor.start());
  try {
    await Promise.race([starting, asked.promise]);
    if (requests === 0) {
      announce(options, plan.addresses, companions.notes, (performance.now() - startedAt) / 1000, stdout, log);
      await asked.promise;
    }
  } finally {
    starting.catch(() => undefined);
    await supervisor.stop();
    await companions.cleanUp();
  }
  say('stopped');
}

function announce(
  options: StandaloneOptions,
  addresses: Addresses,
  notes: readonly string[],
  seconds: number,
  stdout: Surroundings['stdout'],
  log: LogSink,
): void {
  if (options.logFormat === 'json') {
    const facts = { ...addresses, clusters: options.clusters.map(({ name }) => name), data: options.data, seconds };
    return log({ service: 'meadow', level: 'info', time: new Date(), message: 'ready', facts });
  }
  const shown = relative(process.cwd(), options.data);
  const lines = [
    `Meadow is ready after ${seconds.toFixed(1)} s:  ${addresses.dashboard}`,
    '',
    ...watching(options),
    `  data in   ${shown.startsWith('..') ? options.data : `./${shown}`}`,
    `  SQL at    ${addresses.clickhouse}`,
    ...notes.map((note) => `  ${note}`),
    '  Ctrl-C stops everything',
  ];
  stdout.write(`\n${lines.map((line) => `  ${line}`.trimEnd()).join('\n')}\n\n`);
}

function watching({ clusters, clustersFile }: StandaloneOptions): string[] {
  const width = Math.max(0, ...clusters.map(({ name }) => name.length));
  const line = ({ name, broker }: ClusterDefinitionInput): string => `${name.padEnd(width)}  ${withoutSecrets(broker)}`;
  const lines = [...clusters.map(line), ...(clustersFile === null ? [] : [`the clusters of ${clustersFile}`])];
  if (lines.length === 0) return ['  watching  nothing yet; add --broker redis://localhost:6379/0 (--help tells more)'];
  return lines.map((text, index) => `${index === 0 ? '  watching  ' : '            '}${text}`);
}

/** SIGINT, SIGTERM, SIGHUP, and the death of the launcher named by `MEADOW_LAUNCHER_PID`, as requests to stop. */
export function stopRequests(
  env: Readonly<Record<string, string | undefined>>,
  listener: (reason: string) => void,
): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => listener(name));
  const launcher = Number(env['MEADOW_LAUNCHER_PID']);
  if (launcher === process.ppid) void watchLauncher(launcher, listener);
}

async function watchLauncher(launcher: number, listener: (reason: string) => void): Promise<void> {
  while (process.ppid === launcher) await delay(500, undefined, { ref: false });
  listener('its launcher ended');
}
