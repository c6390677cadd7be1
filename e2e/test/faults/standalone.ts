import { freePort, startChild, type SmallDisk } from '@meadow/testkit';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Target } from './load.ts';
import { openStored, type Stored } from './stored.ts';

/** Meadow as one command runs it, all of its data on a small disk. */
export interface Standalone extends AsyncDisposable {
  /** The dashboard's. */
  readonly url: string;
  readonly stored: Stored;
  log(): string;
}

export async function startStandalone(disk: SmallDisk, clusters: readonly Target[]): Promise<Standalone> {
  await using stack = new AsyncDisposableStack();
  const [port, natsPort, clickhousePort] = [await freePort(), await freePort(), await freePort()];
  const child = await startChild(
    disk.inside({
      name: 'standalone',
      command: process.execPath,
      args: [
        fileURLToPath(new URL('../../../apps/standalone/src/main.ts', import.meta.url)),
        ...['--data', join(disk.folder, 'meadow'), '--port', String(port)],
        ...['--nats-port', String(natsPort), '--clickhouse-port', String(clickhousePort)],
        ...clusters.flatMap(({ name, broker }) => ['--broker', `${name}=${broker}`]),
      ],
      env: { FORCE_COLOR: undefined, NO_COLOR: '1' },
      ready: ({ log }) => log().includes('Meadow is ready'),
      deadlineMs: 60_000,
    }),
  );
  stack.defer(() => child.stop());
  const stored = stack.use(openStored(`http://127.0.0.1:${clickhousePort}`));
  const kept = stack.move();
  return {
    url: `http://127.0.0.1:${port}`,
    stored,
    log: child.log,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
