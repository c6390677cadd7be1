import { openContainer, chooseRuntime } from './containers.ts';
import { freePort } from './ports.ts';
import { openNative, type TestServer } from './server.ts';
import { onDisk, type SmallDisk } from './small-disk.ts';
import { removeFolder, tempFolder } from './temp-folder.ts';

export interface NatsOptions {
  readonly port?: number;
  /** Where JetStream keeps its files. @default a temporary folder, removed on dispose */
  readonly storeDir?: string;
  /** Keep the files on this disk instead. Native only. */
  readonly disk?: SmallDisk;
  /** Further command-line arguments. */
  readonly args?: readonly string[];
}

export interface NatsServer extends TestServer {
  readonly url: string;
  readonly port: number;
}

/** A `nats-server` with JetStream on file storage. */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const runtime = await chooseRuntime({ binary: 'nats-server', debianPackage: 'nats-server' });
  if (runtime.kind === 'container') {
    const command = ['-js', ...(options.args ?? [])];
    const readyLine = /Server is ready/;
    const { server, port } = await openContainer(
      { image: 'nats:2.11-alpine', containerPort: 4222, command, readyLine },
      options.port,
    );
    return Object.assign(server, { url: `nats://127.0.0.1:${port}`, port });
  }
  const port = options.port ?? (await freePort());
  const ownFolder = options.disk === undefined && options.storeDir === undefined ? tempFolder('nats') : null;
  const args = [
    '-a',
    '127.0.0.1',
    '-p',
    String(port),
    '-js',
    '-sd',
    options.disk?.folder ?? options.storeDir ?? ownFolder ?? '',
  ];
  const server = await openNative(
    () =>
      onDisk(options.disk, {
        name: 'nats-server',
        command: runtime.path,
        args: [...args, ...(options.args ?? [])],
        ready: (child) => child.log().includes('Server is ready'),
      }),
    async () => {
      if (ownFolder !== null) await removeFolder(ownFolder);
    },
  );
  return Object.assign(server, { url: `nats://127.0.0.1:${port}`, port });
}
