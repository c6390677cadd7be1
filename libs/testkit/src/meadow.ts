import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NODE_FLAGS, SERVICE_ENV, type ClusterDefinitionInput } from '@meadow/contract';
import { startEmbeddedClickHouse, type EmbeddedClickHouse } from './embedded-clickhouse.ts';
import { startNats, type NatsServer } from './nats.ts';
import { freePort } from './ports.ts';
import { openNative, type NativeServer } from './server.ts';

/** Services of Meadow that run as processes of their own. */
export type ServiceName = 'collector' | 'aggregator' | 'control' | 'gateway';

/** Disposing it is an orderly stop. */
export interface Service extends NativeServer {
  readonly service: ServiceName;
  /** Where /livez, /readyz and /metrics answer; for the gateway also everything else. */
  readonly url: string;
}

export interface ServiceOptions {
  readonly natsUrl: string;
  readonly clickhouseUrl: string;
  readonly clusters?: readonly ClusterDefinitionInput[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What Node is started with for a service. */
export const argsOf = (service: ServiceName): string[] => [
  ...NODE_FLAGS,
  fileURLToPath(new URL(`../../../apps/${service}/src/main.ts`, import.meta.url)),
];

/** Where Node keeps what it compiled of the services. */
export const COMPILE_CACHE = join(tmpdir(), 'meadow-compiled');

/** Starts one service from its source and waits until it says that it is ready. A restart keeps its port. */
export async function startService(service: ServiceName, options: ServiceOptions): Promise<Service> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const launch = () => ({
    name: service,
    command: process.execPath,
    args: argsOf(service),
    env: {
      ...SERVICE_ENV,
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      MEADOW_NATS_URL: options.natsUrl,
      MEADOW_CLICKHOUSE_URL: options.clickhouseUrl,
      MEADOW_CLUSTERS: JSON.stringify(options.clusters ?? []),
      [service === 'gateway' ? 'MEADOW_GATEWAY_PORT' : 'MEADOW_HEALTH_PORT']: String(port),
      ...options.env,
    },
    ready: async () => {
      const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1_000) }).catch(() => null);
      return answer?.ok === true;
    },
  });
  const server = await openNative(launch, async () => undefined);
  return Object.assign(server, { service, url, [Symbol.asyncDispose]: () => server.stop() });
}

export interface Meadow extends AsyncDisposable {
  readonly nats: NatsServer;
  readonly clickhouse: EmbeddedClickHouse;
  readonly services: Readonly<Partial<Record<ServiceName, Service>>>;
}

/** NATS, the embedded ClickHouse and the named services, all ready. Disposing ends them in reverse order. */
export async function startMeadow(options: {
  readonly services: readonly ServiceName[];
  readonly clusters?: readonly ClusterDefinitionInput[];
  readonly env?: Readonly<Record<string, string>>;
}): Promise<Meadow> {
  await using stack = new AsyncDisposableStack();
  const [nats, clickhouse] = await Promise.all([startNats(), startEmbeddedClickHouse()]);
  stack.use(nats);
  stack.use(clickhouse);
  const services: Partial<Record<ServiceName, Service>> = {};
  for (const name of options.services) {
    const serviceOptions = { natsUrl: nats.url, clickhouseUrl: clickhouse.url, ...options };
    services[name] = stack.use(await startService(name, serviceOptions));
  }
  const kept = stack.move();
  return { nats, clickhouse, services, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
