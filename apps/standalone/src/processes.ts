import { NODE_FLAGS, SERVICE_ENV } from '@meadow/contract';
import { compileServices } from '@meadow/runtime';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findNatsServer, natsConfig } from './nats.ts';
import type { StandaloneOptions } from './options.ts';
import { choosePort, freePort, requirePort } from './ports.ts';
import { readNatsLine } from './supervisor/log-line.ts';
import { allOf, httpProbe, roomProbe, tcpProbe, type Probe } from './supervisor/probe.ts';
import type { ProcessSpec } from './supervisor/process.ts';

/** Where Meadow's parts can be reached once they run. */
export interface Addresses {
  readonly dashboard: string;
  readonly nats: string;
  /** Without credentials. */
  readonly clickhouse: string;
}

export interface Plan {
  readonly processes: readonly ProcessSpec[];
  /** Makes the services' code ready, before any of them starts. */
  readonly compile: () => Promise<void>;
  readonly addresses: Addresses;
}

const LOOPBACK = '127.0.0.1';
/**
 * A write that fails for want of room locks JetStream of nats-server 2.9 for good, once there is room too, while `/healthz`
 * goes on to say "ok". It then answers no question any more; this one needs a look at every stream.
 */
const LIST_STREAMS = {
  say: 'CONNECT {"verbose":false}\r\nSUB alive 1\r\nPUB $JS.API.STREAM.LIST alive 0\r\n\r\n',
  pong: /^MSG alive 1 /m,
};
/** What it is started again with: some seconds of many events. */
const NATS_ROOM_MB = 64;
const APPS = join(import.meta.dirname, '..', '..');

/**
 * Chooses ports, writes nats-server's configuration and lays out which processes make up Meadow on this machine.
 * @param brokers processes that the collector shall come after
 * @throws PortInUseError, MissingProgramError
 */
export async function planProcesses(
  options: StandaloneOptions,
  env: Readonly<Record<string, string | undefined>>,
  brokers: readonly string[],
): Promise<Plan> {
  const port = await requirePort(options.port, options.host, '--port');
  const servers: ProcessSpec[] = [];

  let nats = options.nats;
  if (nats === null) {
    const natsPort = await ownPort(options.natsPort, 4222, '--nats-port');
    nats = `nats://${LOOPBACK}:${natsPort}`;
    servers.push(natsServer(options.data, natsPort, env['PATH'] ?? ''));
  }

  let clickhouse: URL;
  if (options.clickhouse === null) {
    const clickhousePort = await ownPort(options.clickhousePort, 8123, '--clickhouse-port');
    clickhouse = new URL(`http://${LOOPBACK}:${clickhousePort}`);
    servers.push(embeddedClickHouse(options, clickhousePort));
  } else {
    clickhouse = new URL(options.clickhouse);
  }
  const user = decodeURIComponent(clickhouse.username);
  const password = decodeURIComponent(clickhouse.password);
  clickhouse.username = clickhouse.password = '';

  const compiled = join(options.data, 'compiled');
  const common = {
    ...SERVICE_ENV,
    NODE_COMPILE_CACHE: compiled,
    MEADOW_LOG_LEVEL: options.logLevel,
    MEADOW_NATS_URL: nats,
    MEADOW_CLICKHOUSE_URL: clickhouse.href,
    ...(user === '' ? {} : { MEADOW_CLICKHOUSE_USER: user }),
    ...(password === '' ? {} : { MEADOW_CLICKHOUSE_PASSWORD: password }),
  };
  const after = servers.map((server) => server.name);
  const dashboard = `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`;

  const aggregator = await service('aggregator', common, after);
  // of several aggregators one writes and the others are ready to; this one is alone, so the tables have to be there
  const tables = httpProbe(`${clickhouse.origin}/?query=SELECT+1+FROM+meadow.tasks+LIMIT+0`, {
    'X-ClickHouse-User': user === '' ? 'default' : user,
    'X-ClickHouse-Key': password,
  });
  const services: ProcessSpec[] = [
    { ...aggregator, ready: allOf(aggregator.ready, tables), readyDeadlineMs: 60_000 },
    await service('collector', { ...common, ...clusterSettings(options) }, [
      ...after.filter((name) => name === 'nats-server'),
      ...brokers,
    ]),
    await service(
      'control',
      common,
      after.filter((name) => name === 'nats-server'),
    ),
    {
      ...node('gateway', []),
      env: {
        ...common,
        MEADOW_HEALTH_PORT: '0',
        MEADOW_GATEWAY_HOST: options.host,
        MEADOW_GATEWAY_PORT: String(port),
        MEADOW_DASHBOARD_DIR: join(APPS, 'dashboard', 'dist'),
      },
      after,
      ready: httpProbe(`${reachable(dashboard)}/readyz`),
    },
  ];
  return {
    processes: [...servers, ...services],
    compile: () =>
      compileServices(
        services.map(({ args }) => args),
        compiled,
      ),
    addresses: { dashboard: reachable(dashboard), nats, clickhouse: clickhouse.origin },
  };
}

/** An address that listens everywhere is reached through loopback. */
function reachable(url: string): string {
  return url.replace('//0.0.0.0:', `//${LOOPBACK}:`).replace('//[::]:', '//[::1]:');
}

function ownPort(wanted: number | null, preferred: number, option: string): Promise<number> {
  return wanted === null ? choosePort(preferred, LOOPBACK) : requirePort(wanted, LOOPBACK, option);
}

function clusterSettings(options: StandaloneOptions): Record<string, string> {
  return {
    ...(options.clusters.length === 0 ? {} : { MEADOW_CLUSTERS: JSON.stringify(options.clusters) }),
    ...(options.clustersFile === null ? {} : { MEADOW_CLUSTERS_FILE: options.clustersFile }),
  };
}

function node(app: string, args: readonly string[]): Pick<ProcessSpec, 'name' | 'command' | 'args'> {
  return { name: app, command: process.execPath, args: [...NODE_FLAGS, join(APPS, app, 'src', 'main.ts'), ...args] };
}

async function service(
  app: string,
  env: Readonly<Record<string, string>>,
  after: readonly string[],
): Promise<ProcessSpec & { readonly ready: Probe }> {
  const healthPort = await freePort(LOOPBACK);
  return {
    ...node(app, []),
    env: { ...env, MEADOW_HEALTH_HOST: LOOPBACK, MEADOW_HEALTH_PORT: String(healthPort) },
    after,
    ready: httpProbe(`http://${LOOPBACK}:${healthPort}/readyz`),
  };
}

function natsServer(data: string, port: number, path: string): ProcessSpec {
  const storeDir = join(data, 'nats');
  mkdirSync(storeDir, { recursive: true });
  const config = join(data, 'nats-server.conf');
  writeFileSync(config, natsConfig({ port, storeDir }));
  return {
    name: 'nats-server',
    command: findNatsServer(path),
    args: ['-c', config],
    ready: tcpProbe({ host: LOOPBACK, port }, { say: '', pong: /^INFO .*"jetstream":true/ }),
    alive: { probe: tcpProbe({ host: LOOPBACK, port }, LIST_STREAMS), obstacle: roomProbe(storeDir, NATS_ROOM_MB) },
    readLine: readNatsLine,
  };
}

function embeddedClickHouse(options: StandaloneOptions, port: number): ProcessSpec {
  const args = ['--data', join(options.data, 'clickhouse'), '--host', LOOPBACK, '--port', String(port)];
  return {
    ...node('embedded-clickhouse', args),
    name: 'clickhouse',
    env: { MEADOW_LOG_LEVEL: options.logLevel, MEADOW_HEALTH_PORT: '0' },
    ready: httpProbe(`http://${LOOPBACK}:${port}/ping`),
    readyDeadlineMs: 60_000,
    stopDeadlineMs: 20_000,
  };
}
