import { fileURLToPath } from 'node:url';
import { findReadyUrl } from './ready-line.ts';
import { openNative, type TestServer } from './server.ts';
import { onDisk, type SmallDisk } from './small-disk.ts';
import { removeFolder, tempFolder } from './temp-folder.ts';

export interface EmbeddedClickHouseOptions {
  /** @default a temporary folder, removed on dispose */
  readonly dataDir?: string;
  /** Keep the data on this disk instead. */
  readonly disk?: SmallDisk;
  /** Further command-line arguments. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface EmbeddedClickHouse extends TestServer {
  readonly url: string;
  readonly dataDir: string;
}

const MAIN = fileURLToPath(new URL('../../../apps/embedded-clickhouse/src/main.ts', import.meta.url));

/** The embedded ClickHouse of one-machine installs, in a process of its own. A restart keeps its port. */
export async function startEmbeddedClickHouse(options: EmbeddedClickHouseOptions = {}): Promise<EmbeddedClickHouse> {
  const ownFolder = options.disk === undefined && options.dataDir === undefined ? tempFolder('clickhouse') : null;
  const dataDir =
    options.disk === undefined ? (options.dataDir ?? ownFolder ?? '') : `${options.disk.folder}/clickhouse`;
  let url = 'http://127.0.0.1:0';
  const launch = () =>
    onDisk(options.disk, {
      name: 'embedded-clickhouse',
      command: process.execPath,
      args: [MAIN, '--port', new URL(url).port || '0', '--data', dataDir, ...(options.args ?? [])],
      deadlineMs: 60_000,
      ...(options.env === undefined ? {} : { env: options.env }),
      ready(child) {
        const told = findReadyUrl(child.log());
        if (told !== null) url = told;
        return told !== null;
      },
    });
  const server = await openNative(launch, async () => {
    if (ownFolder !== null) await removeFolder(ownFolder);
  });
  return Object.assign(server, { url, dataDir });
}
