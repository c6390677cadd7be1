import { execFile } from 'node:child_process';
import { accessSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeCertificates, type Certificates } from './certificates.ts';
import { findBinary, startChild, type Child } from './child.ts';
import { chooseRuntime, openContainer } from './containers.ts';
import { freePort, isFree } from './ports.ts';
import { openNative, type TestServer } from './server.ts';
import { removeFolder, tempFolder } from './temp-folder.ts';

/** Debian's wrapper in /usr/sbin insists on the user rabbitmq; the scripts it wraps do not. */
const SCRIPTS = '/usr/lib/rabbitmq/bin';

export interface RabbitmqUser {
  readonly name: string;
  readonly password: string;
  /** Virtual hosts it may use, with patterns for configure, write and read. @default all of '/', everything */
  readonly permissions?: readonly { vhost: string; configure: string; write: string; read: string }[];
}

export interface RabbitmqOptions {
  readonly port?: number;
  /** Beside '/'. The user guest may do everything in each. */
  readonly vhosts?: readonly string[];
  /** Beside guest (password guest). */
  readonly users?: readonly RabbitmqUser[];
  /** Also listen for amqps. Native only. */
  readonly tls?: boolean;
  /** Starts the management plugin, a second later. @default false */
  readonly management?: boolean;
  /** Further lines of rabbitmq.conf. Native only. */
  readonly config?: readonly string[];
}

export interface RabbitmqServer extends TestServer {
  /** As guest, virtual host '/'. */
  readonly amqpUrl: string;
  /** Null without `tls`. */
  readonly amqpsUrl: string | null;
  readonly port: number;
  /** `http://guest:guest@…`; null without `management`. */
  readonly managementUrl: string | null;
  readonly nodeName: string;
  readonly certificates: Certificates | null;
  /** Runs `rabbitmqctl` on this node and returns its standard output. */
  rabbitmqctl(args: readonly string[]): Promise<string>;
}

/** A RabbitMQ node with its own port mapper, cookie and data, so that any number of them live side by side. */
export async function startRabbitmq(options: RabbitmqOptions = {}): Promise<RabbitmqServer> {
  const runtime = await chooseRuntime({ binary: 'rabbitmq-server', debianPackage: 'rabbitmq-server' });
  const server = runtime.kind === 'native' ? await openNode(options) : await openNodeContainer(options);
  try {
    await provision(server, options);
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

async function provision(server: RabbitmqServer, options: RabbitmqOptions): Promise<void> {
  for (const vhost of options.vhosts ?? []) {
    await server.rabbitmqctl(['add_vhost', vhost]);
    await server.rabbitmqctl(['set_permissions', '-p', vhost, 'guest', '.*', '.*', '.*']);
  }
  const everything = [{ vhost: '/', configure: '.*', write: '.*', read: '.*' }];
  for (const { name, password, permissions = everything } of options.users ?? []) {
    await server.rabbitmqctl(['add_user', name, password]);
    for (const { vhost, configure, write, read } of permissions) {
      await server.rabbitmqctl(['set_permissions', '-p', vhost, name, configure, write, read]);
    }
  }
}

async function openNode(options: RabbitmqOptions): Promise<RabbitmqServer> {
  const folder = tempFolder('rabbitmq');
  const [port, distPort, mapperPort, tlsPort, managementPort] = [
    options.port ?? (await freePort()),
    await freePort(),
    await freePort(),
    options.tls === true ? await freePort() : null,
    options.management === true ? await freePort() : null,
  ];
  const certificates = tlsPort === null ? null : await makeCertificates(folder);
  const config = ['vm_memory_high_watermark.absolute = 512MB', 'disk_free_limit.absolute = 1MB'];
  if (tlsPort !== null && certificates !== null) {
    config.push(`listeners.ssl.1 = 127.0.0.1:${tlsPort}`, `ssl_options.cacertfile = ${certificates.ca}`);
    config.push(`ssl_options.certfile = ${certificates.serverCert}`, `ssl_options.keyfile = ${certificates.serverKey}`);
  }
  if (managementPort !== null) config.push(`management.tcp.port = ${managementPort}`, 'management.tcp.ip = 127.0.0.1');
  writeFileSync(join(folder, 'rabbitmq.conf'), [...config, ...(options.config ?? [])].join('\n') + '\n');
  writeFileSync(join(folder, 'plugins'), managementPort === null ? '[].\n' : '[rabbitmq_management].\n');
  const nodeName = `meadow${port}@localhost`;
  const env = nodeEnvironment(folder, nodeName, port, distPort, mapperPort);
  let mapper: Child | null = null;
  const stopMapper = async (): Promise<void> => {
    await mapper?.kill9();
    await removeFolder(folder);
  };
  mapper = await startChild({
    name: 'epmd',
    command: findBinary('epmd') ?? 'epmd',
    args: ['-port', String(mapperPort), '-address', '127.0.0.1'],
    ready: async () => !(await isFree(mapperPort)),
  });
  const launch = () => ({
    name: 'rabbitmq-server',
    command: script('rabbitmq-server'),
    args: [],
    cwd: folder,
    env,
    deadlineMs: 60_000,
    ready: (child: Child) => child.log().includes('Server startup complete'),
  });
  const server = await openNative(launch, stopMapper);
  const run = promisify(execFile);
  return Object.assign(server, {
    amqpUrl: `amqp://guest:guest@127.0.0.1:${port}/`,
    amqpsUrl: tlsPort === null ? null : `amqps://guest:guest@127.0.0.1:${tlsPort}/`,
    managementUrl: managementPort === null ? null : `http://guest:guest@127.0.0.1:${managementPort}`,
    port,
    nodeName,
    certificates,
    async rabbitmqctl(args: readonly string[]) {
      const line = ['-q', '-n', nodeName, ...args];
      const options = { env: { ...process.env, ...env }, timeout: 30_000 };
      const { stdout } = await run(script('rabbitmqctl'), line, options);
      return stdout;
    },
  });
}

function nodeEnvironment(folder: string, nodeName: string, port: number, distPort: number, mapperPort: number) {
  return {
    HOME: folder,
    // its tools take arguments for Latin-1 otherwise
    LC_ALL: 'C.UTF-8',
    // a command that dies would leave its dump in the caller's directory
    ERL_CRASH_DUMP: join(folder, 'erl_crash.dump'),
    ERL_EPMD_PORT: String(mapperPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    // The port mapper is ours; a command that runs late must not start another that nobody ends.
    ERL_FLAGS: '-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_NODENAME: nodeName,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_BASE: folder,
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    // One scheduler that sleeps when idle: several nodes share a small machine.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none',
    // Makes the script become the node, so that its process id is the node's.
    RUNNING_UNDER_SYSTEMD: 'true',
    NOTIFY_SOCKET: '',
  };
}

function script(name: string): string {
  const path = join(SCRIPTS, name);
  try {
    accessSync(path);
    return path;
  } catch {
    return findBinary(name) ?? name;
  }
}

async function openNodeContainer(options: RabbitmqOptions): Promise<RabbitmqServer> {
  const image = options.management === true ? 'rabbitmq:4-management-alpine' : 'rabbitmq:4-alpine';
  const readyLine = /Server startup complete/;
  const { server, port, exec } = await openContainer({ image, containerPort: 5672, readyLine }, options.port);
  return Object.assign(server, {
    amqpUrl: `amqp://guest:guest@127.0.0.1:${port}/`,
    amqpsUrl: null,
    managementUrl: null,
    port,
    nodeName: 'rabbit@localhost',
    certificates: null,
    rabbitmqctl: (args: readonly string[]) => exec(['rabbitmqctl', '-q', ...args]),
  });
}
