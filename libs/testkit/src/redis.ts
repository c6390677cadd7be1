import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCertificates, type Certificates } from './certificates.ts';
import { chooseRuntime, openContainer } from './containers.ts';
import { freePort } from './ports.ts';
import { openNative, type TestServer } from './server.ts';
import { removeFolder, tempFolder } from './temp-folder.ts';

export interface RedisOptions {
  readonly port?: number;
  /** Password of the default user. */
  readonly password?: string;
  /** ACL rules, each as after `user ` in a configuration file: `watcher on >pw ~* &* +@all`. Native only. */
  readonly acl?: readonly string[];
  /** Speak TLS on `port`; the `url` becomes `rediss://`. 'mutual' also demands a client certificate. Native only. */
  readonly tls?: boolean | 'mutual' | 'stranger';
  /** Also listen on a unix socket. Native only. */
  readonly unixSocket?: boolean;
  /** @default a temporary folder, removed on dispose */
  readonly dataDir?: string;
  /** Further configuration, as on the command line: `['--databases', '4']`. */
  readonly args?: readonly string[];
}

export interface RedisServer extends TestServer {
  /** With the default user's password, if any, and database 0. */
  readonly url: string;
  readonly port: number;
  readonly password: string | null;
  /** Null without `unixSocket`. */
  readonly socketPath: string | null;
  /** Null without `tls`. */
  readonly certificates: Certificates | null;
}

/** A `redis-server` that keeps nothing on disk unless `args` says otherwise. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const runtime = await chooseRuntime({ binary: 'redis-server', debianPackage: 'redis-server' });
  const password = options.password ?? null;
  const auth = password === null ? '' : `:${encodeURIComponent(password)}@`;
  const args = ['--save', '', '--appendonly', 'no', ...(options.args ?? [])];
  if (password !== null) args.push('--requirepass', password);
  const facts = { password, socketPath: null, certificates: null };
  if (runtime.kind === 'container') {
    const launch = { image: 'redis:8-alpine', containerPort: 6379, readyLine: /Ready to accept connections/ };
    const { server, port } = await openContainer({ ...launch, command: ['redis-server', ...args] }, options.port);
    return Object.assign(server, { ...facts, url: `redis://${auth}127.0.0.1:${port}/0`, port });
  }
  const port = options.port ?? (await freePort());
  const folder = tempFolder('redis');
  args.push('--bind', '127.0.0.1', '--dir', options.dataDir ?? folder);
  const socketPath = options.unixSocket === true ? join(folder, 'redis.sock') : null;
  if (socketPath !== null) args.push('--unixsocket', socketPath);
  const tls = options.tls ?? false;
  const certificates = tls === false ? null : await makeCertificates(folder);
  args.push(...(certificates === null ? ['--port', String(port)] : tlsArgs(port, certificates, tls)));
  if (options.acl !== undefined) {
    const file = join(folder, 'users.acl');
    const rest = password === null ? ['default on nopass ~* &* +@all'] : [`default on >${password} ~* &* +@all`];
    writeFileSync(file, [...rest, ...options.acl].map((rule) => `user ${rule}\n`).join(''));
    args.push('--aclfile', file);
  }
  const launch = () => ({
    name: 'redis-server',
    command: runtime.path,
    args,
    ready: (child: { log(): string }) => child.log().includes('Ready to accept connections'),
  });
  const server = await openNative(launch, () => removeFolder(folder));
  const scheme = certificates === null ? 'redis' : 'rediss';
  return Object.assign(server, {
    url: `${scheme}://${auth}127.0.0.1:${port}/0`,
    port,
    password,
    socketPath,
    certificates,
  });
}

function tlsArgs(port: number, files: Certificates, mode: RedisOptions['tls']): string[] {
  const [cert, key] =
    mode === 'stranger' ? [files.strangerCert, files.strangerKey] : [files.serverCert, files.serverKey];
  return [
    ...['--port', '0', '--tls-port', String(port), '--tls-cert-file', cert, '--tls-key-file', key],
    ...['--tls-ca-cert-file', files.ca, '--tls-auth-clients', mode === 'mutual' ? 'yes' : 'no'],
  ];
}

export interface SentinelOptions {
  /** @default 'mymaster' */
  readonly masterName?: string;
  /** Password the sentinel itself asks for. */
  readonly password?: string;
}

export interface RedisSentinel extends TestServer {
  readonly port: number;
  readonly masterName: string;
  /** `sentinel://127.0.0.1:port` */
  readonly url: string;
}

/** One sentinel that watches `master`. Native only. */
export async function startRedisSentinel(master: RedisServer, options: SentinelOptions = {}): Promise<RedisSentinel> {
  const runtime = await chooseRuntime({ binary: 'redis-server', debianPackage: 'redis-server' });
  if (runtime.kind === 'container') throw new Error('the sentinel runs natively only: apt-get install redis-server');
  const port = await freePort();
  const folder = tempFolder('sentinel');
  const masterName = options.masterName ?? 'mymaster';
  const file = join(folder, 'sentinel.conf');
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor ${masterName} 127.0.0.1 ${master.port} 1`,
    `sentinel down-after-milliseconds ${masterName} 2000`,
  ];
  if (master.password !== null) lines.push(`sentinel auth-pass ${masterName} ${master.password}`);
  if (options.password !== undefined) lines.push(`requirepass ${options.password}`);
  writeFileSync(file, lines.join('\n') + '\n');
  const launch = () => ({
    name: 'redis-sentinel',
    command: runtime.path,
    args: [file, '--sentinel'],
    ready: (child: { log(): string }) => child.log().includes('+monitor master'),
  });
  const server = await openNative(launch, () => removeFolder(folder));
  return Object.assign(server, { port, masterName, url: `sentinel://127.0.0.1:${port}` });
}
