import {
  startEmbeddedClickHouse,
  startNats,
  startService,
  type EmbeddedClickHouse,
  type EmbeddedClickHouseOptions,
  type NatsOptions,
  type NatsServer,
  type Service,
  type TestServer,
} from '@meadow/testkit';
import type { ClusterDefinitionInput } from '@meadow/contract';
import { openStored, type Stored } from './stored.ts';

/** The whole of Meadow, a process each, all of which may be killed and started again on the same ports and data. */
export interface System extends AsyncDisposable {
  readonly nats: NatsServer;
  readonly clickhouse: EmbeddedClickHouse;
  readonly collectors: readonly Service[];
  readonly aggregators: readonly Service[];
  readonly gateway: Service;
  /** Every one of them by a name for people. */
  readonly parts: ReadonlyMap<string, TestServer>;
  readonly stored: Stored;
}

export interface SystemOptions {
  readonly clusters: readonly ClusterDefinitionInput[];
  /** @default 1 */
  readonly collectors?: number;
  /** @default 1 */
  readonly aggregators?: number;
  readonly nats?: NatsOptions;
  readonly clickhouse?: EmbeddedClickHouseOptions;
  /** Called when NATS and ClickHouse answer, before any service is started. */
  readonly prepare?: (servers: { readonly nats: NatsServer; readonly clickhouse: EmbeddedClickHouse }) => Promise<void>;
}

export async function startSystem(options: SystemOptions): Promise<System> {
  await using stack = new AsyncDisposableStack();
  const nats = stack.use(await startNats(options.nats));
  const clickhouse = stack.use(await startEmbeddedClickHouse(options.clickhouse));
  await options.prepare?.({ nats, clickhouse });
  const addresses = { natsUrl: nats.url, clickhouseUrl: clickhouse.url, clusters: options.clusters };
  const several = async (service: 'collector' | 'aggregator', count = 1): Promise<Service[]> => {
    const started: Service[] = [];
    for (let index = 0; index < count; index++) started.push(stack.use(await startService(service, addresses)));
    return started;
  };
  const aggregators = await several('aggregator', options.aggregators);
  const collectors = await several('collector', options.collectors);
  const gateway = stack.use(await startService('gateway', addresses));
  const parts = new Map<string, TestServer>([
    ['NATS', nats],
    ['ClickHouse', clickhouse],
    ['gateway', gateway],
    ...collectors.map((collector, index): [string, TestServer] => [`collector ${index + 1}`, collector]),
    ...aggregators.map((aggregator, index): [string, TestServer] => [`aggregator ${index + 1}`, aggregator]),
  ]);
  const stored = stack.use(openStored(clickhouse.url));
  const kept = stack.move();
  return {
    nats,
    clickhouse,
    collectors,
    aggregators,
    gateway,
    parts,
    stored,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
